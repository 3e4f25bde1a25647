"""Which mechanism is chosen, and what it says."""

import pytest

from outrider.mail.sasl import Mechanism, choose, plain, xoauth2
from outrider.mail.server import Server, TlsMode

PASSWORD = Server("x.example", 465, TlsMode.IMPLICIT, "nora", "s€cret")
TOKEN = Server("x.example", 465, TlsMode.IMPLICIT, "nora@x.example", access_token="ya29")


@pytest.mark.parametrize(
    ("offered", "server", "expected"),
    [
        ({"PLAIN", "LOGIN"}, PASSWORD, Mechanism.PLAIN),
        ({"login", "plain"}, PASSWORD, Mechanism.PLAIN),
        ({"LOGIN", "CRAM-MD5"}, PASSWORD, Mechanism.LOGIN),
        ({"CRAM-MD5"}, PASSWORD, None),
        (set(), PASSWORD, None),
        ({"PLAIN", "XOAUTH2"}, TOKEN, Mechanism.XOAUTH2),
        ({"PLAIN"}, TOKEN, None),
    ],
)
def test_the_mechanism_fits_the_offer_and_the_credentials(
    offered: set[str], server: Server, expected: Mechanism | None
) -> None:
    exchange = choose(offered, server)
    assert (exchange.mechanism if exchange else None) is expected


def test_what_the_mechanisms_say() -> None:
    assert plain("nora", "s€cret") == b"\0nora\0s\xe2\x82\xaccret"
    assert xoauth2("nora@x.example", "ya29") == b"user=nora@x.example\x01auth=Bearer ya29\x01\x01"
    login = choose({"LOGIN"}, PASSWORD)
    assert login
    assert login.responses == (b"nora", b"s\xe2\x82\xaccret")


def test_secrets_do_not_show_when_an_exchange_is_printed() -> None:
    assert "cret" not in repr(choose({"PLAIN"}, PASSWORD))
    assert "cret" not in repr(choose({"LOGIN"}, PASSWORD))
