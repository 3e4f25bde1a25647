"""How a mail is shown: what its author wrote first, all of it on demand, in a frame where nothing of it can act.

Three walls stand between a stranger's HTML and the page: the cleaning (`content.cleaning`), a policy that admits
pictures only, and a sandbox without scripts and without our origin. Pictures that came along are written into the
document; those from elsewhere tell their sender who reads, and wait until somebody asks for them.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from outrider.content.cleaning import Resolve, clean, has_remote_images
from outrider.content.text import to_text
from outrider.kit.crypto import vault
from outrider.kit.db import Db
from outrider.mail.quote import new_text_of
from outrider.mail.text import html_to_text
from outrider.tracking import tokens
from outrider.web import store
from outrider.web.shell import NotHere, Visit, number_of, page, show

_SHOWN = "shown"
_CHARACTERS_A_LINE = 80
_LINES_A_PICTURE = 3
_HEIGHTS = (5, 9, 15, 24)
"""Lines of text up to which a frame has its first, second … size (app.css); longer mails scroll."""
_LONGEST_MEASURED = 20_000
_MOST_PICTURE_BYTES = 8_000_000  # of one document; what is beyond is in the list of files
_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"\xff\xd8\xff": "image/jpeg",
}
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:{images}; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)


class Mail(Protocol):
    """A mail of a conversation, or one that belongs to none."""

    @property
    def id(self) -> int: ...
    @property
    def is_reply(self) -> bool: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def from_email(self) -> str: ...
    @property
    def to_email(self) -> str: ...
    @property
    def cc(self) -> Sequence[str]: ...
    @property
    def sent_at(self) -> datetime: ...
    @property
    def html(self) -> str | None: ...
    @property
    def text(self) -> str | None: ...
    @property
    def attachments(self) -> Sequence[Mapping[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class ShownMail:
    """`new_text`: without quotes and signature, of received mails only; `whole_text`: all of it, as text.

    `is_open`: whether the whole mail is shown at once; `size`: of its frame, None if it has no HTML.
    """

    item: Mail
    new_text: str
    whole_text: str
    is_open: bool
    size: int | None
    has_remote_images: bool
    shows_images: bool
    files: Sequence[Mapping[str, Any]]
    pictures: Sequence[Mapping[str, Any]]

    @property
    def hides_something(self) -> bool:
        """Whether the new text is not all that there is to see."""
        return self.size is not None or self.new_text != self.whole_text


def shown(item: Mail, *, images_of: int | None) -> ShownMail:
    """`images_of`: the mail whose images the reader has asked for."""
    html = item.html
    whole_text = (item.text if item.text is not None else html_to_text(html or "")).strip()
    new_text = new_text_of(item.text, html).strip() if item.is_reply else ""
    shows_images = images_of == item.id
    return ShownMail(
        item=item,
        new_text=new_text,
        whole_text=whole_text,
        is_open=not new_text or shows_images,
        size=None if html is None else _size(html),
        has_remote_images=html is not None and has_remote_images(html, resolve=_resolve({})),
        shows_images=shows_images,
        files=[file for file in item.attachments if not _is_inside(file, html)],
        pictures=[file for file in item.attachments if _is_inside(file, html)],
    )


def asked_images(visit: Visit) -> int | None:
    """The mail whose images are asked for: by a link of our own page, not by one in a mail or on another site."""
    wanted = visit.request.query_params.get("images", "")
    return number_of(wanted) if wanted and _is_from_here(visit.request) else None


@page
async def mail(visit: Visit) -> Response:
    """The HTML of a mail as a document of its own, in a sandbox: no script, no form, nothing fetched but images."""
    message_id = number_of(visit.request.path_params["message_id"])
    html = await store.find_html(visit.db, visit.user_id, message_id)
    if html is None:
        raise NotHere
    images = visit.request.query_params.get("images") == _SHOWN and _is_from_here(visit.request)
    resolve = _resolve(await _pictures(visit.db, visit.user_id, message_id, html))
    response = show(visit, "mail.html", body=clean(html, images=images, resolve=resolve))
    response.headers["content-security-policy"] = POLICY.format(images=" http: https:" if images else "")
    response.headers["x-frame-options"] = "SAMEORIGIN"
    response.headers["referrer-policy"] = "no-referrer"
    response.headers["x-dns-prefetch-control"] = "off"
    return response


def _is_from_here(request: Request) -> bool:
    """Browsers say where a request began (Fetch Metadata); those that do not are older than this page."""
    return request.headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}


def _resolve(pictures: Mapping[str, str]) -> Resolve:
    """Pictures that came along are in the document; our own pixel is not loaded, our own links are not counted."""

    def resolve(tag: str, url: str) -> str | None:
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        if parts.scheme.lower() == "cid":
            return pictures.get(unquote(url[len("cid:") :]))
        if tag == "img" and parts.path.startswith("/o/"):
            is_ours = tokens.read_open(vault(), parts.path[len("/o/") :].removesuffix(".gif")) is not None
            return None if is_ours else url
        if tag == "a" and parts.path.startswith("/c/"):
            click = tokens.read_click(vault(), parts.path[len("/c/") :])
            return click.url if click else url
        return url

    return resolve


async def _pictures(db: Db, user_id: int, message_id: int, html: str) -> dict[str, str]:
    """What came along and is shown inside of the mail, by Content-ID, as the data of addresses."""
    if "cid:" not in html.lower():
        return {}
    found: dict[str, str] = {}
    room = _MOST_PICTURE_BYTES
    for file in await store.list_pictures(db, user_id, message_id, largest=room):
        kind = _picture_type(file.content)
        if kind and file.content_id not in found and len(file.content) <= room:
            room -= len(file.content)
            found[file.content_id] = f"data:{kind};base64,{b64encode(file.content).decode()}"
    return found


def _picture_type(content: bytes) -> str | None:
    """By its first bytes; what the sender calls it does not count."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _SIGNATURES.items() if content.startswith(start)), None)


def _is_inside(file: Mapping[str, Any], html: str | None) -> bool:
    """Whether it is named by the mail's own text, like the logo of a signature."""
    identifier = file.get("content_id")
    return bool(identifier and html and file["is_kept"] and f"cid:{identifier}" in html)


def _size(html: str) -> int:
    text = to_text(html[:_LONGEST_MEASURED])
    lines = sum(1 + len(line) // _CHARACTERS_A_LINE for line in text.splitlines())
    lines += _LINES_A_PICTURE * html.lower().count("cid:")
    return sum(lines > height for height in _HEIGHTS)
