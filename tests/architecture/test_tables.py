"""Who writes which table, and that no query reaches into another account."""

import ast
import re
from functools import cache

from tests.architecture.source import listed, modules
from tests.architecture.sql import Statement, statements, tables

_OWNED = re.compile(r"(?:^|\s)(?:Tables: |[Oo]wns )(.*?)(?:\.(?:\s|$)|$)", re.DOTALL)
_WORD = re.compile(r"[a-z_]+")
_TENANT_PARAMETER = re.compile(r"%\(user_ids?\)s")

OF_THE_INSTALLATION = {
    "accounts": "the tenants themselves",
    "domain_providers": "what the DNS tells everybody",
    "engines": "processes",
    "failed_authentications": "by remote address",
    "hard_bounces": "addresses that are dead for everybody here",
    "idempotent_replies": "by key, which is of one account",
    "instance": "one row a fact",
    "rate_limits": "by key, which is of one account",
    "schema_migrations": "the schema",
}
"""Tables that hold nothing of one account."""

FOR_ALL_ACCOUNTS = {
    "campaigns.pace": "the engine counts for the campaigns of what it has claimed",
    "campaigns.trials": "the engine looks at the tests of all accounts whose time has come",
    "engine.store": "the engine works for all accounts at once, by the mailboxes that it has leased",
    "engine.triggers": "the engine looks at what has happened in the campaigns of all accounts, and at the time",
    "leads.progress": "the engine moves the leads of what it has claimed",
    "mailboxes.state": "the engine leases and paces mailboxes of all accounts",
    "messages.doubt": "mails in doubt, by what the engine has claimed or a trace that was matched",
    "messages.handwritten": "a ledger too; what people ask for takes the account",
    "messages.ledger": "the ledger of all mails on their way, by what the engine has claimed",
    "tracking.store": "a signed token names the mail; whose it is comes out",
    "users.store": "finds out whose account it is: log-in, keys, links",
    "webhooks.outbox": "one queue delivers for all accounts",
}
"""Modules whose queries know the account from what they work on."""

BY_THEMSELVES = {
    "analytics.engagement.list_reasons": "by mails of the account, as analytics.mails finds them",
    "analytics.rollup.list_behind": "the job works for all accounts; it names each",
    "campaigns.store.find_user_id": "finds out whose campaign it is, for a command of the operator",
    "campaigns.subsequences.record_looks": "by triggers that the engine has just looked at",
    "clients.store.is_address_taken": "an address logs in once in the whole installation",
    "engine.inbound.matching._list_latest": "by the account of the mailbox that was read, for each mail",
    "inbox.store.tell_reminders": "the clock of all accounts; it names each",
    "leads.conversations.wake": "the clock of all accounts",
    "leads.imports.store.find_import": "by the id that the job was queued with",
    "leads.imports.store.find_source": "by the id that the job was queued with",
    "leads.imports.store.give_up": "by the import that has just been found",
    "leads.imports.store.list_given_up": "looks after imports of all accounts",
    "leads.imports.store.finish": "by the id that the job was queued with",
    "leads.imports.store.lock_done_count": "by the id that the job was queued with",
    "leads.imports.store.record_progress": "by the id that the job was queued with",
    "mailboxes.tracking_domains._find": "by the id that the job was queued with, or that the caller has loaded",
    "mailboxes.tracking_domains._record": "by the mailbox that was just checked",
    "mailboxes.tracking_domains.list_due": "the look works for all accounts",
    "mailboxes.oauth._claim": "tokens of all accounts are refreshed; the row names its own",
    "mailboxes.oauth._is_claimed": "by the mailbox that the caller has loaded, or that the job was queued with",
    "mailboxes.store.find_holder": "an address can be connected once in the whole installation",
    "leads.subsequences.end_answered": "by leads of answers that have just come in",
    "leads.subsequences.enter": "by leads that the caller has found, with their subsequences",
    "leads.providers.store.list_positions": "the look-up works for all accounts; it names each",
    "leads.providers.store.record_position": "by the campaign that has just been read",
    "messages.engagement.count_hits": "by mails that signed tokens name",
    "messages.engagement.record_bounce": "by the mail that a report was matched to, in its mailbox",
    "messages.engagement.record_replies": "by the mail that a reply was matched to, in its mailbox",
    "messages.files.download": "by a random token that stands in the address",
    "messages.received.insert": "each row names its account",
    "messages.received.insert_auto_replies": "each row names its account",
    "messages.received._insert_contents": "by the rows that have just been made",
    "messages.store.list_conversations": "by leads in campaigns that the caller has found in its account",
    "messages.store.list_threads": "by leads in campaigns that the caller has found in its account",
    "webhooks.retriggers.refresh": "by retriggers of deliveries that have just been worked on",
}
"""Single queries that know the account otherwise."""

BY_THE_CLOCK_OF_THE_DATABASE = {"kit.jobs.delete_old_jobs": "procrastinate writes its times by that clock"}


@cache
def owners() -> dict[str, list[str]]:
    """Table → the slices whose docstring says that they own it."""
    found: dict[str, list[str]] = {name: [] for name in tables()}
    for module in modules():
        if module.path.name != "__init__.py" or "." in module.short_name:
            continue
        docstring = ast.get_docstring(module.tree) or ""
        owned = {word for sentence in _OWNED.findall(docstring) for word in _WORD.findall(sentence)}
        for table in owned & found.keys():
            found[table].append(module.layer)
    return found


def test_every_table_has_one_owner() -> None:
    """A slice's docstring says `Tables: …` or `Owns …`; a reader finds the owner of a table by searching its name."""
    wrong = [f"{table}: {', '.join(slices) or 'nobody'}" for table, slices in owners().items() if len(slices) != 1]
    assert not wrong, (
        "Every table stands in the docstring of exactly one slice's __init__.py, after `Tables:` or `Owns`:"
        + listed(wrong)
    )


def test_a_table_is_written_by_its_owner_only() -> None:
    """Style §3: rules about a table (who may change it, what has to be told) stand in one place."""
    wrong = [
        f"{statement.place} {statement.name} writes {table}, which belongs to {owners()[table][0]}"
        for statement in statements()
        for table in sorted(statement.written)
        if owners()[table] != [statement.module.layer]
    ]
    assert not wrong, "Call an action of the owner, or emit an event that it listens to:" + listed(wrong)


def test_every_query_on_tenant_data_takes_the_account() -> None:
    """Style §5: a foreign id is simply not found. One forgotten condition would show an account to another one."""
    wrong = [f"{statement.place} {statement.name}" for statement in statements() if _is_unbound(statement)]
    assert not wrong, (
        "These queries have no condition `user_id = %(user_id)s`. Where the account is known otherwise, "
        "add the query to the exceptions in this file, with the reason:" + listed(wrong)
    )


def test_exceptions_are_still_needed() -> None:
    names = {statement.name for statement in statements() if _reaches_all(statement)}
    layers = {name.rpartition(".")[0] for name in names}
    stale = sorted((BY_THEMSELVES.keys() - names) | (FOR_ALL_ACCOUNTS.keys() - layers))
    assert not stale, "These exceptions have become needless; take them out:" + listed(stale)
    assert OF_THE_INSTALLATION.keys() <= tables().keys()


def _is_unbound(statement: Statement) -> bool:
    is_excepted = statement.module.short_name in FOR_ALL_ACCOUNTS or statement.name in BY_THEMSELVES
    return _reaches_all(statement) and not is_excepted


def _reaches_all(statement: Statement) -> bool:
    is_on_tenants = bool(statement.used - OF_THE_INSTALLATION.keys())
    return is_on_tenants and not _TENANT_PARAMETER.search(statement.code)


def test_the_reader_of_sql_finds_what_it_should() -> None:
    """The tests above are worth nothing if a way of writing SQL escapes them."""
    by_name = {statement.name: statement for statement in statements()}
    assert by_name["messages.ledger.write"].written == {"messages", "message_bodies"}  # several in one statement
    counted = {"api_keys", "rate_limits"}  # ON CONFLICT DO UPDATE is no table
    assert by_name["users.store.record_request"].written == counted
    assert "campaign_leads" in by_name["leads.listing.list_account_leads"].used  # put together from fragments
    assert len(statements()) > len(tables())


def test_time_comes_from_the_program() -> None:
    """Design §4: time is an argument. A statement that reads the database's clock ignores the virtual one of the demo,
    and decides otherwise when it is run again."""
    clocks = re.compile(
        r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\(\s*\)"
        r"|\b(CURRENT_(TIMESTAMP|DATE|TIME)|LOCALTIME(STAMP)?)\b",
        re.IGNORECASE,
    )
    wrong = [
        f"{each.place} {each.name}"
        for each in statements()
        if clocks.search(each.code) and each.name not in BY_THE_CLOCK_OF_THE_DATABASE
    ]
    wrong += [f"migrations: {name}" for name, columns in tables().items() if clocks.search(columns)]
    assert not wrong, "Pass `now` in as a parameter:" + listed(wrong)
