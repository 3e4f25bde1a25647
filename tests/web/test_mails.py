"""How mails are shown: what is new in them first, all of it on demand, and pictures only as far as they harm nobody."""

import re
from base64 import b64encode

import pytest

from outrider.kit.db import execute
from outrider.mail import body
from outrider.tracking import tokens
from tests.support import make
from tests.web.conftest import Browser, Talk
from tests.web.test_pages import words

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
QUOTE = (
    '<div class="gmail_quote"><div class="gmail_attr">On Mon, 2 Mar 2026, Liv wrote:</div>'
    "<blockquote>Hi</blockquote></div>"
)


def article(page: str, message_id: int) -> str:
    found = re.search(rf'<article [^>]*id="mail-{message_id}".*?</article>', page, re.DOTALL)
    assert found, page
    return found[0]


def new_text(part: str) -> str:
    """What is shown before anything is unfolded."""
    found = re.search(r'<div class="paper"><pre dir="auto">(.*?)</pre>', part.partition("<details")[0], re.DOTALL)
    return found[1] if found else ""


async def test_the_new_text_is_shown_and_the_rest_is_folded(browser: Browser, talk: Talk) -> None:
    reply_id = await talk.take_in(talk.letter(html=f"<p>Sounds <b>good</b> &lt;3</p>{QUOTE}"))
    part = article(await browser.page(talk.path), reply_id)
    assert new_text(part) == "Sounds good &lt;3"
    assert "<summary>Whole email</summary>" in part
    assert "<summary>Plain text</summary>" in part
    assert 'details class="whole" open' not in part
    assert "Hi" in (await browser.page(f"/app/mail/{reply_id}"))


async def test_a_text_with_nothing_to_hide_has_no_folds(browser: Browser, talk: Talk) -> None:
    reply_id = await talk.take_in(talk.letter(text="Yes.\n"))
    part = article(await browser.page(talk.path), reply_id)
    assert (new_text(part), "<details" in part) == ("Yes.", False)


async def test_the_quote_of_a_text_is_folded(browser: Browser, talk: Talk) -> None:
    reply_id = await talk.take_in(talk.letter(text="Yes.\n\nOn Mon, 2 Mar 2026 at 10:00, Liv wrote:\n> Hello\n"))
    part = article(await browser.page(talk.path), reply_id)
    assert new_text(part) == "Yes."
    assert "&gt; Hello" in part.partition("<summary>Whole email</summary>")[2]
    assert "<iframe" not in part


async def test_a_mail_without_words_of_its_own_is_unfolded(browser: Browser, talk: Talk) -> None:
    reply_id = await talk.take_in(talk.letter(html=QUOTE.replace("Hi", "")))
    part = article(await browser.page(talk.path), reply_id)
    assert 'details class="whole" open' in part or new_text(part)
    empty_id = await talk.take_in(talk.letter(html="<img src='https://x.example/a.png'>"))
    part = article(await browser.page(talk.path), empty_id)
    assert "Nothing new in words" in part
    assert 'details class="whole" open' in part


async def test_images_wait_until_they_are_asked_for(browser: Browser, talk: Talk) -> None:
    reply_id = await talk.take_in(talk.letter(html='<p>See</p><img src="https://spy.example/a.png?b=1&amp;c=2">'))
    other_id = await talk.take_in(talk.letter(html='<p>Too</p><img src="https://spy.example/b.png">'))
    part = article(await browser.page(talk.path), reply_id)
    assert "Images from elsewhere are not loaded" in part
    assert f'href="{talk.path}&amp;images={reply_id}#mail-{reply_id}"' in part
    assert "spy.example" not in await browser.page(f"/app/mail/{reply_id}")
    page = await browser.page(f"{talk.path}&images={reply_id}")
    part = article(page, reply_id)
    assert "Hide images" in part
    assert 'details class="whole" open' in part
    assert f'src="/app/mail/{reply_id}?images=shown"' in part
    assert f'src="/app/mail/{other_id}"' in article(page, other_id)
    answer = await browser.get(f"/app/mail/{reply_id}?images=shown")
    assert 'src="https://spy.example/a.png?b=1&amp;c=2"' in answer.text
    policy = answer.headers["content-security-policy"]
    assert "img-src data: http: https:;" in policy
    assert "default-src 'none'" in policy
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    assert (answer.headers["referrer-policy"], answer.headers["x-dns-prefetch-control"]) == ("no-referrer", "off")


@pytest.mark.parametrize(
    ("site", "is_shown"), [("same-origin", True), ("none", True), ("cross-site", False), ("same-site", False)]
)
async def test_a_link_from_elsewhere_shows_no_images(
    browser: Browser, talk: Talk, *, site: str, is_shown: bool
) -> None:
    """Else a mail could ask for its own images, by a link to our page."""
    reply_id = await talk.take_in(talk.letter(html='<p>See</p><img src="https://spy.example/a.png">'))
    headers = {"sec-fetch-site": site}
    document = await browser.get(f"/app/mail/{reply_id}?images=shown", headers=headers)
    assert ("spy.example" in document.text) is is_shown
    assert ("https:" in document.headers["content-security-policy"]) is is_shown
    page = await browser.get(f"{talk.path}&images={reply_id}", headers=headers)
    assert ("?images=shown" in page.text) is is_shown


async def test_pictures_that_came_along_are_in_the_document(browser: Browser, talk: Talk) -> None:
    letter = talk.letter(html='<p>Us</p><img src="cid:logo@hexly"><img src="cid:evil" alt="E"><img src="cid:lost">')
    letter.add_related(PNG, maintype="image", subtype="png", filename="logo.png", cid="<logo@hexly>")
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    letter.add_related(svg, maintype="image", subtype="png", filename="evil.png", cid="<evil>")
    reply_id = await talk.take_in(letter)
    answer = await browser.get(f"/app/mail/{reply_id}")
    assert f'<img src="data:image/png;base64,{b64encode(PNG).decode()}">' in answer.text
    assert '<img alt="E">' in answer.text
    assert "<img>" in answer.text
    assert "https:" not in answer.headers["content-security-policy"]
    part = article(await browser.page(talk.path), reply_id)
    assert "2 pictures in the text" in part
    assert "logo.png" in part
    assert "Show images" not in part


async def test_a_picture_of_another_mail_is_not_shown(browser: Browser, talk: Talk) -> None:
    letter = talk.letter(html='<p>Us</p><img src="cid:logo@hexly">')
    letter.add_related(PNG, maintype="image", subtype="png", filename="logo.png", cid="<logo@hexly>")
    await talk.take_in(letter)
    thief_id = await talk.take_in(talk.letter(html='<p>Us</p><img src="cid:logo@hexly">'))
    assert "data:image" not in (await browser.page(f"/app/mail/{thief_id}"))


async def test_our_own_pixel_is_never_loaded_and_our_links_are_not_counted(browser: Browser, talk: Talk) -> None:
    """A person who reads a quote of our mail is no lead who opens it."""
    sent_id = talk.sent["id"]
    pixel = f"https://t.hexly.example{tokens.open_path(make.VAULT, sent_id)}"
    link = f"https://t.hexly.example{tokens.click_path(make.VAULT, sent_id, 'https://hexly.example/offer?a=1')}"
    trap = f"https://t.hexly.example{tokens.trap_path(make.VAULT, sent_id)}"
    html = f'<p>Yes</p><img src="{pixel}"><a href="{link}">Offer</a><a href="{trap}">x</a>'
    foreign = '<img src="https://t.other.example/o/AAAA.gif"><a href="https://t.other.example/c/AAAA">y</a>'
    ours_id = await talk.take_in(talk.letter(html=html))
    text = (await browser.get(f"/app/mail/{ours_id}?images=shown")).text
    assert "t.hexly.example" not in text
    assert 'href="https://hexly.example/offer?a=1"' in text
    assert "Show images" not in article(await browser.page(talk.path), ours_id)
    theirs_id = await talk.take_in(talk.letter(html=foreign))
    text = (await browser.get(f"/app/mail/{theirs_id}?images=shown")).text
    assert "https://t.other.example/o/AAAA.gif" in text
    assert "https://t.other.example/c/AAAA" in text


async def test_attachments_are_listed_and_what_was_left_out_is_said(
    browser: Browser, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "MAX_ATTACHMENT", 50)
    letter = talk.letter(text="See.\n")
    letter.add_attachment(b"x" * 40, maintype="application", subtype="pdf", filename="offer & 1.pdf")
    letter.add_attachment(b"x" * 51, maintype="video", subtype="mp4", filename="film.mp4")
    reply_id = await talk.take_in(letter)
    part = article(await browser.page(talk.path), reply_id)
    found = re.search(r'<a href="(/files/[^"]+)" rel="noreferrer">offer &amp; 1.pdf</a>', part)
    assert found
    assert "film.mp4</a>" not in part
    assert "film.mp4 51 Bytes Not kept here: too large, or one too many." in words(f"<main>{part}")
    answer = await browser.get(found[1])
    assert (answer.content, answer.headers["content-type"]) == (b"x" * 40, "application/octet-stream")
    assert answer.headers["content-disposition"].startswith("attachment;")


async def test_files_of_another_account_are_nobody_elses(other_browser: Browser, talk: Talk) -> None:
    letter = talk.letter(html='<p>Us</p><img src="cid:a">')
    letter.add_related(PNG, maintype="image", subtype="png", filename="a.png", cid="<a>")
    reply_id = await talk.take_in(letter)
    await execute(talk.db, "UPDATE attachments SET user_id = user_id + 1")
    assert (await other_browser.get(f"/app/mail/{reply_id}")).status_code == 404
    assert (await other_browser.get(f"/app/mail/{reply_id}?images=shown")).status_code == 404


@pytest.mark.parametrize("wanted", ["abc", "-1", "99999999999999999999", "%00"])
async def test_images_of_no_mail_are_no_page(browser: Browser, talk: Talk, wanted: str) -> None:
    assert (await browser.get(f"{talk.path}&images={wanted}")).status_code == 404
