-- What the classifier made of each reply, how sure it was and why; and what a category of an account is for.

ALTER TABLE categories ADD COLUMN description text;
CREATE UNIQUE INDEX categories_own_name ON categories (user_id, lower(name)) WHERE user_id IS NOT NULL;

CREATE TABLE reply_verdicts (
    message_id  bigint PRIMARY KEY REFERENCES messages ON DELETE CASCADE,
    user_id     bigint NOT NULL,
    category_id bigint NOT NULL REFERENCES categories ON DELETE CASCADE,
    confidence  real NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    source      text NOT NULL CHECK (source IN ('RULE', 'DESCRIPTION', 'MODEL', 'ENDPOINT', 'HEADERS')),
    reason      text NOT NULL,
    created_at  timestamptz NOT NULL
);
CREATE INDEX reply_verdicts_category_id ON reply_verdicts (category_id);
