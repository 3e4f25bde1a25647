"""Settings: one frozen object, read from the environment (prefix OUTRIDER_) when a process starts.

Each field carries the sentence that documents it; `outrider docs` makes docs/settings.md from them.
"""
# ruff: noqa: RUF009 - _setting makes dataclass fields

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PREFIX = "OUTRIDER_"
MEBIBYTE = 1024 * 1024
SHORTEST_KEY = 16
_DATA_DIR = Path("outrider-data")


class SettingError(ValueError):
    """A setting has a value that cannot be used; the text names the variable and says what it must be."""


class WebhookPriority(StrEnum):
    """Which webhooks get an event: if the account has one for it, only the account's; or those of every level."""

    OVERRIDE = "override"
    ALL = "all"


class ReplyRateOf(StrEnum):
    """What replies are divided by: as the original does, or always by leads."""

    VENDOR = "vendor"
    LEADS = "leads"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return read


def _flag(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError("true or false")


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an address like https://outreach.example.com")
    return text.rstrip("/")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a provider gives tokens, and its mail servers as host, port and port type."""

    token_url: str
    smtp: tuple[str, int, str]
    imap: tuple[str, int, str]


def _endpoints(text: str) -> Endpoints:
    try:
        token_url, smtp, imap = text.split()
        return Endpoints(_address(token_url), _mail_server(smtp), _mail_server(imap))
    except ValueError as error:
        raise ValueError("`token-address smtp-host:port:type imap-host:port:type`") from error


def _mail_server(text: str) -> tuple[str, int, str]:
    host, port, kind = text.rsplit(":", 2)
    if kind not in {"SSL", "TLS", "NONE"}:
        raise ValueError
    return host, _whole(1, 65535)(port), kind


_GOOGLE = "https://oauth2.googleapis.com/token smtp.gmail.com:465:SSL imap.gmail.com:993:SSL"
_MICROSOFT = (
    "https://login.microsoftonline.com/common/oauth2/v2.0/token"
    " smtp.office365.com:587:TLS outlook.office365.com:993:SSL"
)


def _database_address(text: str) -> str:
    if not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("an address like postgresql://user:password@host:5432/outrider")
    return text


def _key(text: str) -> str:
    if len(text) < SHORTEST_KEY:
        raise ValueError(f"a secret of at least {SHORTEST_KEY} characters")
    return text


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _domains(text: str) -> tuple[str, ...]:
    return tuple(word.lower().removesuffix(".") for word in _words(text))


def _domain_groups(text: str) -> tuple[frozenset[str], ...]:
    groups = tuple(frozenset(_domains(group.replace("=", ","))) for group in _words(text))
    if any(len(group) == 1 for group in groups):
        raise ValueError("groups of domains like acme.com=acme.de, separated by commas")
    return groups


def _minutes(text: str) -> tuple[int, ...]:
    try:
        return tuple(_whole(0, 100_000)(word) for word in _words(text))
    except ValueError as error:
        raise ValueError("minutes separated by commas, like 1,5,30") from error


def _resolvers(text: str) -> tuple[str, ...]:
    try:
        return tuple(_resolver(word) for word in _words(text))
    except ValueError as error:
        raise ValueError("IP addresses separated by commas, like 1.1.1.1,192.0.2.1:5353") from error


def _resolver(word: str) -> str:
    if word.startswith("[") or word.count(":") == 1:
        parts = urlsplit(f"//{word}")
        if parts.port is None:
            raise ValueError(word)
        ip_address(parts.hostname or "")
        return word
    return str(ip_address(word))


def _one_of(choices: type[StrEnum]) -> Callable[[str], StrEnum]:
    def read(text: str) -> StrEnum:
        try:
            return choices(text.lower())
        except ValueError as error:
            raise ValueError(" or ".join(choices)) from error

    return read


def _text(text: str) -> str:
    return text


def _setting(
    default: Any,
    about: str,
    *,
    read: Callable[[str], Any] = _text,
    shown: str | None = None,
    hidden: bool = False,
    secret: bool = False,
) -> Any:
    """A field with its documentation; `shown` is the default as the page words it."""
    return field(
        default=default,
        repr=not secret,
        metadata={"about": about, "read": read, "shown": shown, "hidden": hidden},
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an operator can set. Made by `load_settings`."""

    database_url: str | None = _setting(
        None,
        "PostgreSQL to use, `postgresql://user:password@host:5432/outrider`. "
        "Without it the program runs its own PostgreSQL in `DATA_DIR`.",
        read=_database_address,
        shown="own PostgreSQL",
        secret=True,
    )
    data_dir: Path = _setting(
        _DATA_DIR,
        "Folder for what the program keeps on disk: its PostgreSQL and the secret key. Back it up.",
        read=Path,
        shown="`./outrider-data`",
    )
    secret_key: str | None = _setting(
        None,
        "Encrypts stored passwords and signs links, at least 16 characters. "
        "Without it a key is made in `DATA_DIR/secret.key`. "
        "All processes of an installation need the same; it cannot be changed later.",
        read=_key,
        shown="made in `DATA_DIR`",
        secret=True,
    )
    host: str = _setting("127.0.0.1", "Address the web server listens on; `0.0.0.0` for all.")
    port: int = _setting(8000, "Port the web server listens on.", read=_whole(1, 65535))
    web_workers: int = _setting(1, "Processes of the web server.", read=_whole(1, 256))
    engines: int = _setting(
        1,
        "Processes of the engine; they share the mailboxes. One uses one core and some 100 MB of memory.",
        read=_whole(1, 256),
    )
    public_url: str = _setting(
        "http://127.0.0.1:8000",
        "Address under which people and programs reach this server; part of links in mails, exports and webhooks.",
        read=_address,
        shown="`http://{HOST}:{PORT}`",
    )
    tracking_url: str = _setting(
        "http://127.0.0.1:8000",
        "Address in open pixels, tracked links and unsubscribe links, where it differs from `PUBLIC_URL`.",
        read=_address,
        shown="`PUBLIC_URL`",
    )
    rate_limit_requests: int = _setting(
        60, "API requests each key may make per window; 0 switches the limit off.", read=_whole(0, 10**9)
    )
    rate_limit_window_seconds: int = _setting(60, "Length of that window in seconds.", read=_whole(1, 86_400))
    failed_auth_per_minute: int = _setting(
        30,
        "Wrong keys, and wrong passwords, that one address may send per minute; 0 = any number.",
        read=_whole(0, 10**9),
    )
    strict_compat: bool = _setting(
        False, "Refuse what the original API refuses: unknown keys, alternative spellings.", read=_flag
    )
    client_keys_plaintext: bool = _setting(
        False,
        "Keep the API keys of clients encrypted besides their hash, so that lists show them in full, "
        "instead of their last characters.",
        read=_flag,
    )
    cors_origins: tuple[str, ...] = _setting(
        ("*",), "Web sites whose scripts may call the API, separated by commas; `*` = all.", read=_words, shown="`*`"
    )
    max_body_bytes: int = _setting(10 * MEBIBYTE, "Largest request body that is read.", read=_whole(1024, 2**31))
    allow_private_networks: bool = _setting(
        False,
        "Let webhooks and other fetches go to private addresses (10.0.0.0/8, localhost and the like).",
        read=_flag,
    )
    verify_on_save: bool = _setting(
        True, "Log in to the SMTP and IMAP servers of a mailbox when it is saved.", read=_flag
    )
    reconnects_per_day: int = _setting(
        3,
        "How often an account may log in again to all its failed mailboxes in 24 hours; 0 = any number.",
        read=_whole(0, 10**6),
    )
    google_client_id: str = _setting(
        "", "The OAuth app by which Gmail mailboxes are connected: its client id.", shown="none"
    )
    google_client_secret: str = _setting("", "Its secret.", shown="none", secret=True)
    google_endpoints: Endpoints = _setting(
        _endpoints(_GOOGLE), "Where Google gives tokens, and its mail servers.", read=_endpoints, shown=f"`{_GOOGLE}`"
    )
    microsoft_client_id: str = _setting(
        "", "The OAuth app by which Outlook mailboxes are connected: its client id.", shown="none"
    )
    microsoft_client_secret: str = _setting("", "Its secret.", shown="none", secret=True)
    microsoft_endpoints: Endpoints = _setting(
        _endpoints(_MICROSOFT),
        "Where Microsoft gives tokens, and its mail servers; national clouds have others.",
        read=_endpoints,
        shown=f"`{_MICROSOFT}`",
    )
    webhook_timeout_seconds: int = _setting(
        30, "How long the receiver of a webhook may take to answer.", read=_whole(1, 600)
    )
    webhook_retry_minutes: tuple[int, ...] = _setting(
        (1, 5, 30), "Waits before the repetitions of a failed webhook.", read=_minutes, shown="`1,5,30`"
    )
    webhook_level_priority: WebhookPriority = _setting(
        WebhookPriority.OVERRIDE,
        "`override`: where a webhook of the account listens to an event, those of clients and campaigns do not get it. "
        "`all`: every level gets the event.",
        read=_one_of(WebhookPriority),
    )
    webhook_verify_tls: bool = _setting(
        True, "Refuse webhook receivers whose certificate is not trusted, for example self-signed ones.", read=_flag
    )
    webhook_concurrency: int = _setting(
        100, "Webhook deliveries that each engine process has in flight at most.", read=_whole(1, 10_000)
    )
    webhook_concurrency_each: int = _setting(
        10, "Of these, deliveries to one and the same webhook.", read=_whole(1, 1000)
    )
    classifier_url: str | None = _setting(
        None,
        "Address of a language model that categorises replies, with the API of OpenAI, like "
        "`https://api.example.com/v1` or `http://127.0.0.1:11434/v1` (the latter takes `ALLOW_PRIVATE_NETWORKS`). "
        "The new text of replies is sent there. Where it fails or is slow, the built-in model decides.",
        read=_address,
        shown="none: the built-in model",
    )
    classifier_key: str | None = _setting(None, "Its API key.", shown="none", secret=True)
    classifier_model: str = _setting("", "The name of its model.", shown="none")
    classifier_timeout_seconds: int = _setting(
        8, "How long it may take for a reply; webhooks wait 10 seconds for a category.", read=_whole(1, 120)
    )
    free_mail_domains: tuple[str, ...] = _setting(
        (),
        "Further domains at which anybody can have an address, separated by commas: "
        "two people there do not work for the same company.",
        read=_domains,
        shown="none, beside the built-in list",
    )
    company_domains: tuple[frozenset[str], ...] = _setting(
        (),
        "Domains of one company that look like several, like `acme.com=acme.de, globex.com=globex.fr=globex.it`.",
        read=_domain_groups,
        shown="none",
    )
    recipient_domain_per_minute: int = _setting(
        1,
        "Mails of one campaign that leads at the same company domain get in a minute at most; 0 = any number. "
        "Free-mail and internet providers are exempt, here and below.",
        read=_whole(0, 10**6),
    )
    recipient_domain_per_hour: int = _setting(
        10,
        "Mails of one campaign that leads at the same company domain get in an hour at most; 0 = any number.",
        read=_whole(0, 10**6),
    )
    dns_resolvers: tuple[str, ...] = _setting(
        (),
        "DNS servers to ask, separated by commas, with a port where it is not 53.",
        read=_resolvers,
        shown="those of the system",
    )
    tracking_rules: Path | None = _setting(
        None,
        "A file of rules by which machines are told from people, added to the built-in ones "
        "(`outrider/tracking/rules/machines.toml`): networks, user agents, thresholds.",
        read=Path,
        shown="none",
    )
    analytics_reply_rate_denominator: ReplyRateOf = _setting(
        ReplyRateOf.VENDOR,
        "What reply rates divide by: `vendor`, the leads that opened, where every mail could be seen, else those that "
        "were mailed; `leads`, always those that were mailed.",
        read=_one_of(ReplyRateOf),
    )
    pool_size: int = _setting(10, "Database connections each process may open.", read=_whole(2, 1000))
    log_level: LogLevel = _setting(
        LogLevel.INFO, "Least important messages to log: debug, info, warning or error.", read=_one_of(LogLevel)
    )
    clock: str = _setting("", "Virtual time of demo and tests, made by `Clock.format`.", hidden=True)


def variable(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the environment; an unset or empty variable means the default, a bad value is a SettingError."""
    given = {
        setting.name: _read(setting, text)
        for setting in fields(Settings)
        if (text := environ.get(variable(setting.name), "").strip())
    }
    settings = Settings(**given)
    public = given.get("public_url", f"http://{_reachable(settings.host)}:{settings.port}")
    return replace(settings, public_url=public, tracking_url=given.get("tracking_url", public))


def _read(setting: "Field[Any]", text: str) -> Any:
    try:
        return setting.metadata["read"](text)
    except ValueError as error:
        # a secret is not repeated: this text ends in terminals and logs
        found = f", not {text!r}" if setting.repr else ""
        raise SettingError(f"{variable(setting.name)} must be {error}{found}.") from error


def _reachable(host: str) -> str:
    """An address a browser on this machine can open for an address the server listens on."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def settings_page() -> str:
    """The text of docs/settings.md."""
    rows = [_row(setting) for setting in fields(Settings) if not setting.metadata["hidden"]]
    return "\n".join(
        [
            "# Settings",
            "",
            "Generated by `outrider docs`; do not edit.",
            "",
            "Settings are environment variables, read when a process starts. Flags take true or false.",
            "",
            "| variable | default | meaning |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _row(setting: "Field[Any]") -> str:
    shown = setting.metadata["shown"] or f"`{_default_text(setting.default)}`"
    return f"| `{variable(setting.name)}` | {shown} | {setting.metadata['about']} |"


def _default_text(default: Any) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)
