"""Forms: a token that ties each to the browser it was made for (no other site can send it), and reading what is sent.

The token is bound to the session, before that to a cookie of its own, and differs in every answer: a compressed page
does not give it away.
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

from starlette.requests import Request

from outrider.config import Settings
from outrider.kit.body import read_body
from outrider.kit.crypto import vault
from outrider.kit.errors import NotAllowed
from outrider.kit.exchange import current_exchange
from outrider.users.models import SESSION_COOKIE

TOKEN_FIELD = "form_token"  # noqa: S105 - a name
_PURPOSE = "web form"
_NONCE_BYTES = 16
_LARGEST = 64 * 1024


class FormRefused(NotAllowed):
    """Nothing was changed: the form is too old, or it came from another site. Open the page again and retry."""


def session_cookie(settings: Settings) -> str:
    return _cookie(SESSION_COOKIE, settings)


def browser_cookie(settings: Settings) -> str:
    """Of somebody who is not logged in."""
    return _cookie("outrider_browser", settings)


def _cookie(name: str, settings: Settings) -> str:
    """With https no other host can set it (RFC 6265bis §4.1.3.2)."""
    return f"__Host-{name}" if is_secure(settings) else name


def is_secure(settings: Settings) -> bool:
    return settings.public_url.startswith("https:")


def binding_of(request: Request, settings: Settings) -> str | None:
    """What tokens of this browser are bound to."""
    return request.cookies.get(session_cookie(settings)) or request.cookies.get(browser_cookie(settings))


def make_token(binding: str) -> str:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return urlsafe_b64encode(nonce + vault().sign(nonce + binding.encode(), purpose=_PURPOSE)).decode()


def is_token(token: str, binding: str) -> bool:
    try:
        raw = urlsafe_b64decode(token.encode("ascii"))
    except ValueError:
        return False
    nonce, signature = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
    return vault().verify(nonce + binding.encode(), signature, purpose=_PURPOSE)


async def read(request: Request, settings: Settings) -> dict[str, str]:
    """The fields of a form of ours; raises FormRefused for any other."""
    exchange = current_exchange.get()
    await read_body(request, exchange, limit=_LARGEST)
    sent = exchange.body if isinstance(exchange.body, dict) else {}
    fields = {name: value for name, value in sent.items() if isinstance(value, str)}
    binding = binding_of(request, settings)
    if binding is None or not is_token(fields.get(TOKEN_FIELD, ""), binding):
        raise FormRefused
    return fields
