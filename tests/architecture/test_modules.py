"""What every module keeps to: a docstring, a name that says something, no own clock, no commit below the edges."""

import ast
from collections.abc import Iterator

from tests.architecture.source import Module, imports, listed, modules

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "data", "info", "common", "misc", "base"}

CLOCKS = {
    "date.today",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "time.ctime",
    "time.gmtime",
    "time.localtime",
    "time.time",
    "time.time_ns",
}
"""Calls that say what time it is. `time.monotonic` and `perf_counter` do not: they are for waiting and measuring."""

TRANSACTIONS_OPEN_IN = {
    "analytics.api": "a report begins after the sums were brought up to date",
    "analytics.api_campaign": "an export reads after its request has ended",
    "analytics.jobs": "jobs",
    "analytics.rollup": "sums are brought up to date for all who ask, whatever becomes of the request",
    "cli.accounts": "commands",
    "cli.demo": "commands",
    "cli.doctor": "looks, and rolls back",
    "cli.forecast": "commands",
    "cli.installation": "commands",
    "engine.forecast": "sees whose campaign it is before it works on a scratch copy",
    "engine.inbound.jobs": "jobs",
    "engine.handwritten": "engine steps",
    "engine.inbound.desk": "received mails are taken in whole or not at all",
    "engine.inbound.readers": "engine steps",
    "engine.leases": "engine steps",
    "engine.outbound": "engine steps",
    "engine.reconnect": "engine steps",
    "engine.recorder": "engine steps",
    "engine.rehearsal": "engine steps",
    "engine.scratch": "one transaction that is never anybody else's",
    "engine.worker": "engine steps",
    "inbox.api_replies": "requests that fetch attachments before they write",
    "kit.db": "opens them",
    "kit.http": "requests",
    "kit.idempotency": "requests that may be repeated",
    "kit.migrate": "migrations",
    "leads.imports.jobs": "jobs",
    "leads.providers.jobs": "jobs",
    "mailboxes.api_live": "requests that ask a mail server between reading and writing",
    "mailboxes.api_oauth": "requests that ask a provider between reading and writing",
    "messages.api_single": "requests that submit a mail between reading and counting",
    "mailboxes.oauth": "before and after the provider is asked, for a job and a request alike",
    "mailboxes.reconnects": "jobs",
    "mailboxes.actions": "a savepoint: another mailbox may have taken the address in the meantime",
    "mailboxes.api": "requests that try a log-in between reading and writing",
    "tracking.api": "requests that need no key",
    "mailboxes.tracking_domains": "before and after the look at the outside, for a job and a request alike",
    "tracking.hits": "one transaction for the hits of some milliseconds",
    "web.entrance": "requests of people who are not logged in",
    "web.shell": "requests of people",
    "webhooks.delivery": "engine steps",
    "webhooks.jobs": "jobs",
}
"""The edges (style §3.5), and why each is one."""

FRAMEWORK_IN = ("kit.", "asgi", "cli.", "demo.receiver", "messages.files", "tracking.pages", "web.")
"""Beside every `api` and `wire` module: where the web framework may be known."""


def test_every_module_says_what_it_is_about() -> None:
    """Style §7: a reader opens a file and knows in one to five lines whether it is the one."""
    wrong = [str(module.path) for module in modules() if not (ast.get_docstring(module.tree) or "").strip()]
    assert not wrong, "Begin these with a docstring: what it is about, what not, its source:" + listed(wrong)


def test_no_module_has_a_name_that_says_nothing() -> None:
    """Style §6: what is called `utils` collects what nobody finds again."""
    wrong = [module.name for module in modules() if module.stem in VAGUE_NAMES]
    assert not wrong, "Name these by what they hold:" + listed(wrong)


def test_only_the_clock_reads_the_time() -> None:
    """Style §3.6: everything else is handed `now`, so that the demo, the forecast and the tests run the same code on
    virtual time. One `datetime.now()` in a rule makes a test that fails at midnight."""
    wrong = [
        f"{module.place(node)} {call}()"
        for module in modules()
        if module.short_name != "kit.clock"
        for node, call in _calls(module)
        if ".".join(call.split(".")[-2:]) in CLOCKS
    ]
    assert not wrong, "Take `now` as an argument, or a Clock from kit.clock:" + listed(wrong)


def test_chance_has_a_seed() -> None:
    """Design §4: the same state, time and seed give the same decisions."""
    global_dice = [
        f"{module.place(node)} {name}"
        for module in modules()
        for node, name in imports(module)
        if name.split(".")[0] == "random" and name != "random.Random"
    ]
    unseeded = [
        f"{module.place(node)} Random()"
        for module in modules()
        for node, call in _calls(module)
        if call == "random.Random" and not node.args
    ]
    assert not global_dice + unseeded, "Use Random(seed) with a seed made from ids:" + listed(global_dice + unseeded)


def test_transactions_open_at_the_edges_only() -> None:
    """Style §3.5: what a request, a job or an engine step does is done whole or not at all. An action that commits by
    itself leaves half of it behind when the rest fails."""
    acts = {"transaction", "commit", "rollback"}
    found = {
        module.short_name: f"{module.place(node)} {call}()"
        for module in modules()
        for node, call in _calls(module)
        if "." in call and call.split(".")[-1] in acts
    }
    wrong = [place for name, place in found.items() if name not in TRANSACTIONS_OPEN_IN]
    assert not wrong, "Take an open `db` as an argument instead:" + listed(wrong)
    stale = TRANSACTIONS_OPEN_IN.keys() - found.keys()
    assert not stale, "These open no transactions any more; take them out of the list:" + listed(sorted(stale))


def test_pydantic_is_for_the_wire() -> None:
    """Style §7: inside, a value is a frozen dataclass that is right once it is made. A model that accepts "5" for 5
    belongs to the edge where clients are met."""
    wrong = [
        f"{module.place(node)} {name}"
        for module in modules()
        for node, name in imports(module)
        if name.startswith("pydantic") and module.layer != "kit" and not module.stem.startswith("wire")
    ]
    assert not wrong, "Move the model to the slice's wire.py, or use a frozen dataclass:" + listed(wrong)


def test_the_web_framework_is_for_routes() -> None:
    """An action that knows requests cannot be called by the web app, a job or a test."""
    wrong = [
        f"{module.place(node)} {name}"
        for module in modules()
        for node, name in imports(module)
        if name.split(".")[0] in {"fastapi", "starlette", "uvicorn"} and not _may_know_the_framework(module)
    ]
    assert not wrong, "Do this in the slice's api.py:" + listed(wrong)


def _may_know_the_framework(module: Module) -> bool:
    return module.stem.startswith(("api", "wire")) or module.short_name.startswith(FRAMEWORK_IN)


def _calls(module: Module) -> Iterator[tuple[ast.Call, str]]:
    """Calls by their dotted name, with what was imported from a module written out."""
    origins = {name.rpartition(".")[2]: name for _node, name in imports(module)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            name = _dotted(node.func)
            first, _, rest = name.partition(".")
            origin = origins.get(first, first)
            yield node, f"{origin}.{rest}" if rest else origin


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "<…>"
