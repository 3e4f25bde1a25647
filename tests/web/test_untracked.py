"""The list of untracked replies, and giving one to a lead by a form."""

import re

import pytest

from outrider.kit.db import Db, execute, fetch_dict, fetch_value
from tests.support.world import World
from tests.web.conftest import Browser, Member, Talk
from tests.web.test_mails import PNG
from tests.web.test_pages import words


async def stray(talk: Talk, *, author: str = "Kim <kim@hexly.example>", subject: str = "A question") -> int:
    letter = talk.letter(html="<p>Is this <b>for</b> us?</p><img src='https://spy.example/a.png'>")
    del letter["From"], letter["In-Reply-To"], letter["Subject"]
    letter["From"], letter["Subject"] = author, subject
    row_id = await talk.take_in(letter)
    assert await fetch_value(talk.db, "SELECT kind FROM messages WHERE id = %(id)s", {"id": row_id}) == "UNTRACKED"
    return row_id


async def test_they_are_listed_with_what_they_say(browser: Browser, talk: Talk) -> None:
    assert "No untracked reply." in await browser.page("/app/untracked-replies")
    row_id = await stray(talk, subject="A <b>question")
    page = await browser.page("/app/untracked-replies")
    assert f'href="/app/untracked-replies/{row_id}">kim@hexly.example</a>' in page
    assert "A &lt;b&gt;question Is this for us? " in words(page)
    assert 'href="/app/untracked-replies"' in await browser.page("/app/master-inbox")


async def test_one_is_shown_as_safely_as_any(browser: Browser, talk: Talk) -> None:
    row_id = await stray(talk)
    page = await browser.page(f"/app/untracked-replies/{row_id}")
    assert '<pre dir="auto">Is this for us?</pre>' in page
    assert "spy.example" not in page + await browser.page(f"/app/mail/{row_id}")
    link = re.search(r'href="([^"]+images=[^"]+)"', page)
    assert link
    assert "?images=shown" in await browser.page(link[1].replace("&amp;", "&"))


async def test_it_is_given_to_a_lead_of_the_same_company_at_once(browser: Browser, talk: Talk) -> None:
    row_id = await stray(talk)
    await execute(talk.db, "UPDATE campaign_leads SET last_sent_at = %(now)s", {"now": talk.now})
    path = f"/app/untracked-replies/{row_id}"
    page = await browser.page(path)
    assert "Leads of the same company:" in page
    assert f'name="lead_map" value="{talk.sent["campaign_lead_id"]}"' in page
    answer = await browser.submit(path, lead_map=str(talk.sent["campaign_lead_id"]))
    assert (answer.status_code, answer.headers["location"]) == (303, f"{talk.path}#mail-{row_id}")
    assert f'id="mail-{row_id}"' in await browser.page(talk.path)
    lead = await fetch_dict(talk.db, "SELECT status, hold_reason FROM campaign_leads")
    assert lead == {"status": "STOPPED", "hold_reason": "REPLIED"}
    assert (await browser.get(path)).status_code == 404
    assert "No untracked reply." in await browser.page("/app/untracked-replies")


@pytest.mark.parametrize(
    ("search", "is_found"),
    [("lead1@", True), ("ADA", True), ("nobody", False), ("100%", False), ("%00", False), ("", False)],
)
async def test_leads_are_searched_by_address_and_name(
    browser: Browser, talk: Talk, *, search: str, is_found: bool
) -> None:
    await execute(talk.db, "UPDATE campaign_leads SET last_sent_at = %(now)s", {"now": talk.now})
    row_id = await stray(talk, author="Kim <kim@gmail.com>")
    page = await browser.page(f"/app/untracked-replies/{row_id}?search={search.replace('%', '%25')}")
    assert ('name="lead_map"' in page) is is_found


async def test_leads_that_got_no_mail_are_not_offered(browser: Browser, talk: Talk) -> None:
    await execute(talk.db, "UPDATE campaign_leads SET last_sent_at = NULL")
    row_id = await stray(talk)
    assert 'name="lead_map"' not in await browser.page(f"/app/untracked-replies/{row_id}?search=ada")


async def test_who_may_only_read_attaches_nothing(browser: Browser, talk: Talk, db: Db, member: Member) -> None:
    await execute(talk.db, "UPDATE campaign_leads SET last_sent_at = %(now)s", {"now": talk.now})
    row_id = await stray(talk)
    path = f"/app/untracked-replies/{row_id}"
    await execute(db, "UPDATE people SET role = 'viewer' WHERE id = %(id)s", {"id": member.person_id})
    assert "Your role may only read." in await browser.page(path)
    answer = await browser.submit(path, lead_map=str(talk.sent["campaign_lead_id"]))
    assert answer.status_code == 403
    assert await fetch_value(db, "SELECT count(*) FROM messages WHERE kind = 'UNTRACKED'") == 1


async def test_a_form_of_another_site_attaches_nothing(browser: Browser, talk: Talk) -> None:
    row_id = await stray(talk)
    answer = await browser.post(
        f"/app/untracked-replies/{row_id}", data={"lead_map": str(talk.sent["campaign_lead_id"]), "form_token": "x"}
    )
    assert answer.status_code == 403


async def test_what_is_anothers_is_neither_seen_nor_taken(other_browser: Browser, talk: Talk) -> None:
    row_id = await stray(talk)
    path = f"/app/untracked-replies/{row_id}"
    assert (await other_browser.get(path)).status_code == 404
    assert "kim@" not in await other_browser.page("/app/untracked-replies")
    answer = await other_browser.submit(path, on="/app/", lead_map=str(talk.sent["campaign_lead_id"]))
    assert answer.status_code == 404


async def test_a_reply_is_not_given_to_the_lead_of_another_account(
    browser: Browser, talk: Talk, db: Db, other: Member
) -> None:
    world = World(db, talk.now, other.user_id, lead_number=50)
    await world.engine(world.engine_id)
    [sent] = await world.sent(await world.campaign([await world.mailbox()]))
    row_id = await stray(talk)
    path = f"/app/untracked-replies/{row_id}"
    assert (await browser.submit(path, on="/app/", lead_map=str(sent["campaign_lead_id"]))).status_code == 404


@pytest.mark.parametrize("lead_map", ["", "abc", "99999999999999999999"])
async def test_a_form_without_a_lead_changes_nothing(browser: Browser, talk: Talk, lead_map: str) -> None:
    row_id = await stray(talk)
    answer = await browser.submit(f"/app/untracked-replies/{row_id}", on="/app/", lead_map=lead_map)
    assert answer.status_code == 404
    assert await fetch_value(talk.db, "SELECT count(*) FROM messages WHERE kind = 'UNTRACKED'") == 1


async def test_a_picture_of_an_untracked_reply_is_shown(browser: Browser, talk: Talk) -> None:
    letter = talk.letter(html='<p>Us</p><img src="cid:a">')
    del letter["From"], letter["In-Reply-To"], letter["Subject"]
    letter["From"], letter["Subject"] = "Kim <kim@orr.example>", "Another matter"
    letter.add_related(PNG, maintype="image", subtype="png", filename="a.png", cid="<a>")
    row_id = await talk.take_in(letter)
    assert "data:image/png" in await browser.page(f"/app/mail/{row_id}")
    assert "1 picture in the text" in await browser.page(f"/app/untracked-replies/{row_id}")
