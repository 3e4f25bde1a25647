"""The few words that a reader of a mail sees from us. No scripts, nothing from elsewhere, readable on any device."""

from html import escape

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 1.05rem/1.6 system-ui, sans-serif; }}
body {{ max-width: 32rem; margin: 18vh auto 0; padding: 0 1.5rem; }}
h1 {{ font-size: 1.4rem; line-height: 1.3; }}
button {{ font: inherit; padding: .6rem 1.4rem; border: 0; border-radius: .4rem; background: #1d4ed8; color: #fff; }}
button:focus-visible {{ outline: 3px solid #93c5fd; outline-offset: 2px; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""


def ask(email: str) -> str:
    """One button: the page itself changes nothing."""
    body = (
        f"<p>We will not write to <strong>{escape(email)}</strong> any more.</p>\n"
        '<form method="post"><button type="submit">Unsubscribe</button></form>'
    )
    return _PAGE.format(title="Unsubscribe?", body=body)


def done(email: str) -> str:
    body = f"<p><strong>{escape(email)}</strong> will get no more mail from us. You can close this page.</p>"
    return _PAGE.format(title="You are unsubscribed", body=body)


def unknown_link() -> str:
    body = "<p>It may have been cut off by your mail program. Try the whole link from the mail.</p>"
    return _PAGE.format(title="This link does not work", body=body)


def nothing_here() -> str:
    """Where the link leads that nobody sees, should somebody find it."""
    return _PAGE.format(title="Nothing to see here", body="<p>You can close this page.</p>")
