"""From a filled text to the forms of a mail's body, and form letters, which come to the same with less work.

`finish` says what a body is: the HTML that is kept, its text, and the HTML as it leaves. Nearly all of that depends on
the choices of a mail (spintax, Liquid, empty places) and on who sends it, not on the words that are filled in. So what
`finish` makes of a text with marks in the places of the words is kept as a form, for all mails with the same choices:
what is left to do is to put the words in. Where it is not sure that any words would come to the same, `finish` does it.
"""

from dataclasses import dataclass
from html import unescape
from itertools import count
from typing import NamedTuple, Protocol, Self

from markupsafe import Markup

from outrider.content import marks
from outrider.content.filling import Filling, Script, settle
from outrider.content.html import append_before_body_end, footer, unsubscribe_text
from outrider.content.links import rewrite_links
from outrider.content.marks import Cut, Entangled, Place, mark
from outrider.content.template import Template
from outrider.content.text import IsSame, to_text

_LONGEST = 100_000  # characters; with more, the bounds of Liquid have to be looked at
_PIXEL = '<img src="{}" width="1" height="1" alt="" style="display:none">'
# A link that nobody sees, neither eyes nor screen readers nor the keyboard: whoever follows it is a program.
_TRAP = '<a href="{}" style="display:none" aria-hidden="true" tabindex="-1"></a>'


class Paths(Protocol):
    """Where the addresses of one mail lead on our web server."""

    @property
    def way_out(self) -> str: ...
    def click(self, url: str) -> str: ...
    def trap(self) -> str: ...
    def opening(self) -> str: ...


class Wrapping(NamedTuple):
    """What campaign and mailbox put around a text. `words`: the unsubscribe text."""

    tracking_url: str
    words: str
    has_footer: bool
    is_plain: bool
    counts_clicks: bool
    counts_openings: bool

    def goodbye(self, way_out: str) -> Markup:
        """The unsubscribe text of one mail, as HTML."""
        return unsubscribe_text(self.words, None if self.is_plain else self.tracking_url + way_out)


class Body(NamedTuple):
    """A mail's body: the HTML that is kept, its text, and the HTML as it leaves, unless only the text does."""

    html: str
    text: str
    sent: str | None


def finish(html: str, wrapping: Wrapping, paths: Paths, *, goodbye: Markup, is_same: IsSame | None = None) -> Body:
    """Make the body of a mail from its filled text."""
    if wrapping.has_footer:
        html = append_before_body_end(html, footer(goodbye))
    return Body(html, to_text(html, is_same=is_same), None if wrapping.is_plain else _track(html, wrapping, paths))


def _track(html: str, wrapping: Wrapping, paths: Paths) -> str:
    """The HTML as it leaves: links that are counted, and the pixel."""
    base = wrapping.tracking_url
    if wrapping.counts_clicks:
        keep = (base + paths.way_out,)
        linked = rewrite_links(html, lambda url, _: base + paths.click(url), keep=keep)
        if linked is not html:
            html = append_before_body_end(linked, _TRAP.format(base + paths.trap()))
    if wrapping.counts_openings:
        html = append_before_body_end(html, _PIXEL.format(base + paths.opening()))
    return html


_Odd = tuple[tuple[int, tuple[str | None, ...] | None], ...]


class Letters:
    """Makes bodies, and keeps so many forms that they are made from; with none, each is finished by itself."""

    def __init__(self, most_forms: int = 2_000) -> None:
        self._most_forms = most_forms
        self._forms: dict[tuple[object, ...], _Form | None] = {}

    def write(self, template: Template, filling: Filling, wrapping: Wrapping, paths: Paths, *, goodbye: Markup) -> Body:
        """The body of one mail. Raises TemplateError."""
        script = template.find_script(filling)
        form = self._form(script, filling, wrapping, goodbye=goodbye) if script and self._most_forms else None
        body = form.fill(filling, paths) if form else None
        return body or finish(template.write(filling, script), wrapping, paths, goodbye=goodbye)

    def _form(self, script: Script, filling: Filling, wrapping: Wrapping, *, goodbye: Markup) -> "_Form | None":
        """The form for this mail and others of its kind; None if there cannot be one."""
        if filling.is_odd:
            return None
        odd = tuple([(number, _look_into(text, filling, goodbye)) for number, text in filling.odd])
        kind = (script, wrapping, odd, tuple([filling.choices[fork] for fork in script.forks]))
        if kind not in self._forms:
            if len(self._forms) >= self._most_forms:
                self._forms.clear()
            try:
                self._forms[kind] = _Form.make(script, filling, wrapping, odd)
            except Entangled:
                self._forms[kind] = None
        return self._forms[kind]


def _look_into(text: str, filling: Filling, goodbye: Markup) -> tuple[str | None, ...] | None:
    """What an odd text is but for its words; None for the unsubscribe text, which is another one in each mail."""
    if text == goodbye:
        return None
    pieces, words = marks.outline(text)
    filling.inner += words
    return pieces


# The first marks stand for what each mail has; then come those for words, then those for links.
_WAY_OUT, _OPENING, _TRAP_LINK, _FIRST_PLACE = range(4)


@dataclass(frozen=True, slots=True)
class _Form:
    """A body with marks. `links`: the addresses that are counted, which may hold words."""

    places: list[Place]
    html: Cut
    text: Cut
    sent: Cut | None
    links: tuple[Cut, ...]
    has_trap: bool
    has_pixel: bool

    @classmethod
    def make(cls, script: Script, filling: Filling, wrapping: Wrapping, odd: _Odd) -> Self:
        """Raises Entangled."""
        if marks.has_marks(wrapping.tracking_url + wrapping.words):
            raise Entangled
        goodbye = wrapping.goodbye(mark(_WAY_OUT))
        inner = count()
        ours = {
            number: [goodbye] if pieces is None else [~next(inner) if piece is None else piece for piece in pieces]
            for number, pieces in odd
        }
        html, places = marks.lay_out(script, filling, ours, first=_FIRST_PLACE)
        paths = _MarkedPaths(wrapping.tracking_url, first=_FIRST_PLACE + len(places))
        body = finish(settle(html), wrapping, paths, goodbye=goodbye, is_same=marks.is_same_address)
        marks.refuse_entangled(body.html)
        sent = None if body.sent is None else Cut.of(body.sent)
        return cls(
            places,
            Cut.of(body.html),
            Cut.of(body.text),
            sent,
            tuple(paths.links),
            has_trap=bool(sent and _TRAP_LINK in sent.order),
            has_pixel=bool(sent and _OPENING in sent.order),
        )

    def fill(self, filling: Filling, paths: Paths) -> Body | None:
        """The body of one mail; None if something else than words comes into it."""
        words = filling.words(self.places)
        if words is None:
            return None
        plain = [unescape(word) for word in words] if "&" in "".join(words) else words
        ours = [paths.way_out, paths.opening() if self.has_pixel else "", paths.trap() if self.has_trap else ""]
        words = ours + words
        plain = ours + plain
        html, text = self.html.fill(words), self.text.fill(plain)
        if len(html) > _LONGEST:
            return None
        if self.sent is None:
            return Body(html, text, None)
        clicks = [paths.click(link.fill(plain).replace(" ", "%20")) for link in self.links]
        return Body(html, text, self.sent.fill(words + clicks))


class _MarkedPaths:
    """Paths that are marks."""

    way_out = mark(_WAY_OUT)

    def __init__(self, tracking_url: str, *, first: int) -> None:
        self._tracking_url = tracking_url
        self._first = first
        self.links: list[Cut] = []

    def click(self, url: str) -> str:
        head = marks.head(url)
        if head.startswith(self._tracking_url) or (head != url and self._tracking_url.startswith(head)):
            raise Entangled  # it might be the way out
        self.links.append(Cut.of(url))
        return mark(self._first + len(self.links) - 1)

    def trap(self) -> str:
        return mark(_TRAP_LINK)

    def opening(self) -> str:
        return mark(_OPENING)
