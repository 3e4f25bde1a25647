"""A person's browser: fetches images, follows tracked links, presses the button of an unsubscribe page.

It never leaves the machine: only loopback addresses are fetched; of a redirect to elsewhere it reads the target.
"""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

import httpx
from selectolax.lexbor import LexborHTMLParser, LexborNode

_SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"
USER_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_SAFARI} Safari/605.1.15",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {_SAFARI} Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
)
_UNSUBSCRIBE_WORDS = ("unsub", "opt out", "opt-out", "optout", "abmelden", "abbestellen", "austragen", "/u/")
_HIDDEN_STYLES = ("display:none", "visibility:hidden", "font-size:0", "max-height:0")
_MOST_REDIRECTS = 5
_MOST_CONNECTIONS = 20


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: its address, the answer's status (None: no connection) and where it pointed to."""

    url: str
    status: int | None
    target: str = ""

    @property
    def has_worked(self) -> bool:
        return self.status is not None and self.status < HTTPStatus.BAD_REQUEST


class Browser:
    """All people share its connections; each brings his own user agent."""

    def __init__(self) -> None:
        self._http = httpx.AsyncClient(trust_env=False, timeout=30, verify=_trusting())
        self._seats = asyncio.Semaphore(_MOST_CONNECTIONS)  # httpx itself slows down with the square of who waits

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, url: str, *, agent: str) -> Visit:
        """Fetch; redirects on this machine are followed, the first answer counts."""
        first = visit = await self._request("GET", url, agent=agent)
        for _ in range(_MOST_REDIRECTS):
            if not is_here(visit.target):
                break
            visit = await self._request("GET", visit.target, agent=agent)
        return first

    async def post_one_click(self, url: str) -> Visit:
        """RFC 8058 §3.2: what a mail provider sends for its user, without cookies and without following redirects."""
        return await self._request("POST", url, agent=USER_AGENTS[0], form={"List-Unsubscribe": "One-Click"})

    async def press_button(self, url: str, *, agent: str) -> Visit:
        """Open a page and send its first form."""
        headers = {"User-Agent": agent}
        try:
            async with self._seats:
                page = await self._http.get(url, headers=headers, follow_redirects=False)
        except httpx.HTTPError:
            return Visit(url, None)
        form = LexborHTMLParser(page.text).css_first("form") if page.is_success else None
        if form is None:
            return Visit(url, page.status_code if page.is_error else None)
        action = urljoin(url, form.attributes.get("action") or url)
        method = (form.attributes.get("method") or "get").upper()
        return await self._request(method, action, agent=agent, form=_filled(form))

    async def _request(self, method: str, url: str, *, agent: str, form: dict[str, str] | None = None) -> Visit:
        if not is_here(url):
            return Visit(url, None)
        query, body = (form, None) if method == "GET" else (None, form)
        headers = {"User-Agent": agent, "Accept-Language": "en, de;q=0.8"}
        try:
            async with self._seats:
                answer = await self._http.request(method, url, params=query, data=body, headers=headers)
        except httpx.HTTPError:
            return Visit(url, None)
        target = urljoin(url, answer.headers["location"]) if answer.has_redirect_location else ""
        return Visit(url, answer.status_code, target)


def _trusting() -> ssl.SSLContext:
    """Servers on this machine have certificates of their own making."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def is_here(url: str) -> bool:
    """Whether an address is on this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"}:
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def images(html: str) -> list[str]:
    """The images a mail program would fetch."""
    return _unique(node.attributes.get("src") or "" for node in LexborHTMLParser(html).css("img[src]"))


def links(html: str) -> list[str]:
    """The links a person sees and would click out of interest: no hidden ones, none to unsubscribe."""
    visible = [node for node in LexborHTMLParser(html).css("a[href]") if _is_visible(node) and not _unsubscribes(node)]
    return _unique(node.attributes.get("href") or "" for node in visible)


def unsubscribe_links(html: str) -> list[str]:
    """The links whose words say that they unsubscribe."""
    return _unique(
        node.attributes.get("href") or "" for node in LexborHTMLParser(html).css("a[href]") if _unsubscribes(node)
    )


def _is_visible(node: LexborNode) -> bool:
    if not node.text(strip=True) and node.css_first("img") is None:
        return False
    current: LexborNode | None = node
    while current is not None:
        style = "".join((current.attributes.get("style") or "").lower().split())
        if any(hidden in style for hidden in _HIDDEN_STYLES):
            return False
        current = current.parent
    return True


def _unsubscribes(node: LexborNode) -> bool:
    said = f"{node.text()} {node.attributes.get('href')}".lower()
    return any(word in said for word in _UNSUBSCRIBE_WORDS)


def _filled(form: LexborNode) -> dict[str, str]:
    """The form's fields as they are, and the first button."""
    named = form.css("input[name], button[name], textarea[name]")
    values = {str(node.attributes["name"]): node.attributes.get("value") or "" for node in named}
    buttons = [node for node in named if node.tag == "button" or node.attributes.get("type") == "submit"]
    for button in buttons[1:]:
        values.pop(str(button.attributes["name"]), None)
    return values


def _unique(urls: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(url for url in urls if url))
