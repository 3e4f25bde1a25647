"""Settings come from the environment, are documented, and say what is wrong with a value."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from outrider.config import (
    LogLevel,
    SettingError,
    Settings,
    WebhookPriority,
    load_settings,
    settings_page,
    variable,
)

SETTINGS_PAGE = Path(__file__).parent.parent / "docs" / "settings.md"


def test_nothing_set_gives_the_defaults() -> None:
    settings = load_settings({})
    assert settings == Settings()
    assert settings.database_url is None
    assert settings.data_dir == Path("outrider-data")
    assert settings.public_url == settings.tracking_url == "http://127.0.0.1:8000"
    assert settings.rate_limit_requests == 60


def test_an_empty_value_means_the_default() -> None:
    assert load_settings({"OUTRIDER_PORT": " ", "OUTRIDER_DATABASE_URL": ""}) == Settings()


def test_every_kind_of_value_is_read() -> None:
    settings = load_settings(
        {
            "OUTRIDER_PORT": "8025",
            "OUTRIDER_STRICT_COMPAT": "Yes",
            "OUTRIDER_VERIFY_ON_SAVE": "off",
            "OUTRIDER_WEBHOOK_RETRY_MINUTES": "2, 4",
            "OUTRIDER_WEBHOOK_LEVEL_PRIORITY": "ALL",
            "OUTRIDER_FREE_MAIL_DOMAINS": "Posthaus.example",
            "OUTRIDER_COMPANY_DOMAINS": "acme.example=Acme.test, a.example=b.example=c.example",
            "OUTRIDER_CORS_ORIGINS": "https://a.example, https://b.example",
            "OUTRIDER_DNS_RESOLVERS": "1.1.1.1,::1,127.0.0.1:5353,[::1]:53",
            "OUTRIDER_LOG_LEVEL": "debug",
            "OUTRIDER_DATA_DIR": "/var/lib/outrider",
        }
    )
    assert settings.port == 8025
    assert settings.strict_compat is True
    assert settings.verify_on_save is False
    assert settings.webhook_retry_minutes == (2, 4)
    assert settings.webhook_level_priority is WebhookPriority.ALL
    assert settings.free_mail_domains == ("posthaus.example",)
    assert settings.company_domains == (
        frozenset({"acme.example", "acme.test"}),
        frozenset({"a.example", "b.example", "c.example"}),
    )
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.dns_resolvers == ("1.1.1.1", "::1", "127.0.0.1:5353", "[::1]:53")
    assert settings.log_level is LogLevel.DEBUG
    assert settings.data_dir == Path("/var/lib/outrider")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", "http://127.0.0.1:9000"),  # noqa: S104 - not bound
        ("::", "http://127.0.0.1:9000"),
        ("::1", "http://[::1]:9000"),
        ("10.0.0.5", "http://10.0.0.5:9000"),
    ],
)
def test_the_public_address_follows_host_and_port(host: str, address: str) -> None:
    settings = load_settings({"OUTRIDER_HOST": host, "OUTRIDER_PORT": "9000"})
    assert settings.public_url == settings.tracking_url == address


def test_the_tracking_address_follows_the_public_one() -> None:
    settings = load_settings({"OUTRIDER_PUBLIC_URL": "https://outreach.example.com/"})
    assert settings.public_url == settings.tracking_url == "https://outreach.example.com"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "80a"),
        ("PORT", "-1"),
        ("PORT", "٨٠"),
        ("STRICT_COMPAT", "maybe"),
        ("PUBLIC_URL", "outreach.example.com"),
        ("PUBLIC_URL", "https://a.example/?x=1"),
        ("WEBHOOK_RETRY_MINUTES", "1;5"),
        ("WEBHOOK_LEVEL_PRIORITY", "nearest"),
        ("COMPANY_DOMAINS", "acme.example"),
        ("DNS_RESOLVERS", "dns.example"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_value_names_the_variable_and_the_value(name: str, value: str) -> None:
    with pytest.raises(SettingError) as raised:
        load_settings({f"OUTRIDER_{name}": value})
    assert str(raised.value).startswith(f"OUTRIDER_{name} must be ")
    assert repr(value) in str(raised.value)


@pytest.mark.parametrize(("name", "value"), [("SECRET_KEY", "short"), ("DATABASE_URL", "mysql://me:pass@host/db")])
def test_a_bad_secret_is_not_repeated(name: str, value: str) -> None:
    with pytest.raises(SettingError) as raised:
        load_settings({f"OUTRIDER_{name}": value})
    assert value not in str(raised.value)


def test_secrets_are_not_shown_with_the_settings() -> None:
    settings = load_settings(
        {"OUTRIDER_SECRET_KEY": "a-very-secret-key", "OUTRIDER_DATABASE_URL": "postgresql://me:hidden@host/db"}
    )
    assert "very-secret" not in repr(settings)
    assert "hidden" not in repr(settings)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        load_settings({}).port = 1  # type: ignore[misc]


def test_every_setting_but_the_hidden_is_on_the_page() -> None:
    page = settings_page()
    for setting in fields(Settings):
        assert (f"`{variable(setting.name)}`" in page) is not setting.metadata["hidden"]


def test_the_committed_page_is_the_generated_one() -> None:
    assert SETTINGS_PAGE.read_text("utf-8") == settings_page()
