"""Which TLS mode a port type of the wire means."""

import pytest

from outrider.mail.server import Server, TlsMode, tls_mode


@pytest.mark.parametrize(
    ("port_type", "port", "expected"),
    [
        ("SSL", 587, TlsMode.IMPLICIT),
        (None, 465, TlsMode.IMPLICIT),
        ("", 993, TlsMode.IMPLICIT),
        (None, 587, TlsMode.STARTTLS),
        (None, 2525, TlsMode.STARTTLS),
        ("TLS", 465, TlsMode.STARTTLS),
        ("starttls", 143, TlsMode.STARTTLS),
        ("TLS", 25, TlsMode.STARTTLS_IF_OFFERED),
        ("STARTTLS", 25, TlsMode.STARTTLS_IF_OFFERED),
        (None, 25, TlsMode.STARTTLS_IF_OFFERED),
        ("NONE", 465, TlsMode.NONE),
    ],
)
def test_the_port_type_decides_and_the_port_fills_in(port_type: str | None, port: int, expected: TlsMode) -> None:
    assert tls_mode(port_type, port) is expected


def test_secrets_do_not_show_when_a_server_is_printed() -> None:
    server = Server("mx.acme.example", 465, TlsMode.IMPLICIT, "nora", "hunter2", access_token="ya29.token")
    assert "hunter2" not in repr(server)
    assert "ya29" not in repr(server)
