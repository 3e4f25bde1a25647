import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from outrider.kit.clock import Clock
from outrider.sandbox import (
    AT_ONCE,
    NO_SUCH_USER,
    Act,
    ActKind,
    Behaviour,
    Pace,
    PortInUse,
    ReceivedMail,
    ReplyKind,
    Sandbox,
    Tls,
    UnsubscribeBy,
    steps_by_phrase,
)
from outrider.sandbox.browser import USER_AGENTS
from tests.sandbox.web import Web
from tests.sandbox.writing import PASSWORD, SENDER, campaign_mail, logged_in, send

ANN = "ann@theirs.example"


async def received(sandbox: Sandbox) -> list[EmailMessage]:
    return [message_from_bytes(raw, policy=policy.default) for raw in await sandbox.inbox(SENDER)]


async def mailed(sandbox: Sandbox, web: Web, behaviour: Behaviour, **options: Any) -> None:
    """Ann, who behaves like that, gets one campaign mail, and everything has happened."""
    sandbox.people[ANN] = behaviour
    await send(sandbox, (ANN, campaign_mail(ANN, web=web.url, **options)))
    await sandbox.settle()


async def test_somebody_who_opens_fetches_the_pixel_with_a_browser(sandbox: Sandbox, web: Web) -> None:
    await mailed(sandbox, web, Behaviour(opens=True))
    assert web.paths() == ["/o/1.gif"]
    assert web.asked[0].agent in USER_AGENTS
    assert sandbox.tally().people[ANN].opened == 1


async def test_somebody_who_clicks_follows_the_visible_tracked_link(sandbox: Sandbox, web: Web) -> None:
    await mailed(sandbox, web, Behaviour(opens=True, clicks=True))
    assert web.paths() == ["/o/1.gif", "/c/1"]
    assert (sandbox.tally().mails.opened, sandbox.tally().mails.clicked) == (1, 1)


async def test_an_opening_nobody_could_see_is_not_counted(sandbox: Sandbox, web: Web) -> None:
    sandbox.people[ANN] = Behaviour(opens=True, clicks=True)
    await send(sandbox, (ANN, campaign_mail(ANN)))
    await sandbox.settle()
    assert (sandbox.tally().mails.opened, sandbox.tally().mails.clicked) == (0, 0)
    assert [act.note for act in sandbox.acts] == ["no image on this machine", "no link on this machine"]
    assert web.asked == []


async def test_somebody_who_replies_answers_into_the_inbox(sandbox: Sandbox, web: Web) -> None:
    await mailed(sandbox, web, Behaviour(replies=ReplyKind.MEETING))
    [reply] = await received(sandbox)
    assert reply["In-Reply-To"] == "<mail-1@ours.example>"
    assert reply["From"] == "Ann <ann@theirs.example>"
    assert reply["Return-Path"] == "<ann@theirs.example>"
    assert [act.note for act in sandbox.acts] == [reply["Message-ID"].strip("<>")]


async def test_somebody_out_of_office_answers_automatically(sandbox: Sandbox, web: Web) -> None:
    await mailed(sandbox, web, Behaviour(out_of_office=True))
    [note] = await received(sandbox)
    assert (note["Auto-Submitted"], note["Return-Path"]) == ("auto-replied", "<>")
    assert sandbox.tally().people[ANN].out_of_office == 1


async def test_one_click_posts_to_the_list_unsubscribe_address(sandbox: Sandbox, web: Web) -> None:
    await mailed(sandbox, web, Behaviour(unsubscribes=UnsubscribeBy.ONE_CLICK))
    assert [(each.method, each.path, each.form) for each in web.asked] == [
        ("POST", "/u/1", {"List-Unsubscribe": "One-Click"})
    ]
    assert sandbox.tally().people[ANN].unsubscribed == 1


@pytest.mark.parametrize("way", [UnsubscribeBy.PAGE, UnsubscribeBy.ONE_CLICK])
async def test_without_one_click_the_button_of_the_page_is_pressed(
    sandbox: Sandbox, web: Web, way: UnsubscribeBy
) -> None:
    await mailed(sandbox, web, Behaviour(unsubscribes=way), one_click=False)
    assert [(each.method, each.path) for each in web.asked] == [("GET", "/u/1"), ("POST", "/confirm/7")]


async def test_unsubscribing_by_mail_writes_to_the_mailto_address(sandbox: Sandbox, web: Web) -> None:
    await mailed(sandbox, web, Behaviour(unsubscribes=UnsubscribeBy.MAIL))
    [request] = await received(sandbox)
    assert request["Subject"] == "leave-1"
    assert web.asked == []


async def test_without_any_way_out_somebody_writes_back_to_be_removed(sandbox: Sandbox) -> None:
    sandbox.people[ANN] = Behaviour(unsubscribes=UnsubscribeBy.ONE_CLICK)
    await send(sandbox, (ANN, campaign_mail(ANN)))
    await sandbox.settle()
    [reply] = await received(sandbox)
    assert reply["In-Reply-To"] == "<mail-1@ours.example>"


async def test_a_mail_that_bounces_later_comes_back_as_a_delivery_report(sandbox: Sandbox, web: Web) -> None:
    await mailed(sandbox, web, Behaviour(bounces_later=NO_SUCH_USER))
    [report] = await received(sandbox)
    assert (report.get_content_type(), report["Return-Path"]) == ("multipart/report", "<>")
    counts = sandbox.tally().people[ANN]
    assert (counts.accepted, counts.delivered, counts.bounced_later) == (1, 0, 1)


@pytest.mark.parametrize(("keeps_on", "replies"), [(False, 1), (True, 2)])
async def test_who_has_answered_says_no_more_unless_told(
    sandbox: Sandbox, web: Web, keeps_on: bool, replies: int
) -> None:
    sandbox.people[ANN] = Behaviour(opens=True, replies=ReplyKind.NOT_INTERESTED, keeps_on=keeps_on)
    for number in (1, 2):
        await send(sandbox, (ANN, campaign_mail(ANN, web=web.url, number=number)))
        await sandbox.settle()
    counts = sandbox.tally().people[ANN]
    assert (counts.accepted, counts.replied, counts.opened) == (2, replies, replies)


async def test_an_answer_may_come_to_a_later_mail(sandbox: Sandbox) -> None:
    sandbox.people[ANN] = Behaviour(replies=ReplyKind.QUESTION, on_mail=2)
    await send(sandbox, *((ANN, campaign_mail(ANN, number=number)) for number in (1, 2, 3)))
    await sandbox.settle()
    [reply] = await received(sandbox)
    assert reply["In-Reply-To"] == "<mail-2@ours.example>"


async def test_an_answer_to_an_address_without_mailbox_is_in_vain(sandbox: Sandbox) -> None:
    sandbox.people[ANN] = Behaviour(replies=ReplyKind.QUESTION)
    raw = campaign_mail(ANN).replace(b"To: ann", b"Reply-To: gone@ours.example\r\nTo: ann")
    await send(sandbox, (ANN, raw))
    await sandbox.settle()
    assert [(act.is_done, act.note) for act in sandbox.acts] == [(False, "no mailbox gone@ours.example")]
    assert sandbox.tally().people[ANN].replied == 0


async def test_an_act_that_fails_stops_nobody(sandbox: Sandbox, web: Web) -> None:
    bob = "bob@theirs.example"
    sandbox.people[ANN] = Behaviour(unsubscribes=UnsubscribeBy.MAIL)
    sandbox.people[bob] = Behaviour(opens=True)
    odd = campaign_mail(ANN, web=web.url, unsubscribe="<mailto:>")
    await send(sandbox, (ANN, odd), (bob, campaign_mail(bob, web=web.url)))
    await sandbox.settle()
    assert sandbox.tally().people[ANN].unsubscribed == 0
    assert sandbox.tally().people[bob].opened == 1


@pytest.mark.parametrize("behaviour", [Behaviour(out_of_office=True), Behaviour(bounces_later=NO_SUCH_USER)])
async def test_machines_do_not_answer_mail_without_a_return_path(sandbox: Sandbox, behaviour: Behaviour) -> None:
    sandbox.people[ANN] = behaviour
    client = await logged_in(sandbox)
    await client.sendmail("", [ANN], campaign_mail(ANN))
    await client.quit()
    await sandbox.settle()
    assert [(act.is_done, act.note) for act in sandbox.acts] == [(False, "no return path")]
    assert await sandbox.inbox(SENDER) == []


async def test_duplicates_are_seen_whatever_the_message_id(sandbox: Sandbox) -> None:
    texts = ["Do you still print your invoices?", "Just a quick follow-up.", "Just a quick follow-up."]
    mails = [(ANN, campaign_mail(ANN, number=number, text=text)) for number, text in enumerate(texts)]
    await send(sandbox, *mails)
    for step_of in (None, steps_by_phrase(["print your invoices", "quick follow-up"])):
        tally = sandbox.tally(step_of) if step_of else sandbox.tally()
        assert (tally.mails.duplicates, len(tally.duplicates)) == (1, 1)
        assert [mail.message_id for mail in tally.duplicates[0].mails] == ["mail-1@ours.example", "mail-2@ours.example"]


async def test_mails_are_kept_as_they_came(sandbox: Sandbox) -> None:
    raw = campaign_mail(ANN)
    await send(sandbox, (ANN, raw))
    assert [mail.raw for mail in sandbox.mails_to("Ann@Theirs.example")] == [raw]


async def test_whoever_listens_hears_of_mails_and_acts(sandbox: Sandbox, web: Web) -> None:
    heard: list[ReceivedMail | Act] = []
    sandbox.listen(heard.append)
    await mailed(sandbox, web, Behaviour(opens=True))
    assert [type(each) for each in heard] == [ReceivedMail, Act]


async def test_a_listener_that_fails_costs_no_mail(sandbox: Sandbox) -> None:
    def fail(_: ReceivedMail | Act) -> None:
        raise BrokenPipeError

    sandbox.listen(fail)
    await send(sandbox, (ANN, campaign_mail(ANN)), (ANN, campaign_mail(ANN, number=2)))
    assert len(sandbox.mails) == 2


async def test_a_mailbox_may_file_what_it_sends_by_itself(sandbox: Sandbox) -> None:
    sandbox.add_mailbox(SENDER, PASSWORD, copies_to_sent=True)
    raw = campaign_mail(ANN)
    await send(sandbox, (ANN, raw))
    assert await sandbox.folder(SENDER, "Sent") == [raw]


async def test_people_take_their_time_on_a_clock_that_runs_faster(web: Web) -> None:
    start = datetime(2026, 1, 5, 9, tzinfo=UTC)
    pace = Pace(opening=(3_600, 3_600), replying=(7_200, 7_200))
    async with Sandbox(clock=Clock.starting_at(start, speed=100_000), pace=pace) as sandbox:
        sandbox.add_mailbox(SENDER, PASSWORD)
        await mailed(sandbox, web, Behaviour(opens=True, replies=ReplyKind.INTERESTED))
        opened, replied = sandbox.acts
        mail = sandbox.mails[0]
        assert opened.at - mail.at >= timedelta(hours=1)
        assert replied.at - mail.at >= timedelta(hours=3)
        [reply] = await received(sandbox)
        assert reply["Date"].datetime >= mail.at + timedelta(hours=3) - timedelta(minutes=1)


async def test_nobody_reacts_sooner_than_the_least_real_time(web: Web) -> None:
    start = datetime(2026, 1, 5, 9, tzinfo=UTC)
    clock = Clock.starting_at(start, speed=100_000)
    async with Sandbox(clock=clock, pace=Pace(least_wall_seconds=0.1)) as sandbox:
        sandbox.add_mailbox(SENDER, PASSWORD)
        await mailed(sandbox, web, Behaviour(opens=True))
        assert sandbox.acts[0].at - sandbox.mails[0].at >= timedelta(seconds=0.1 * 100_000)


async def test_the_same_seed_makes_the_same_world(web: Web) -> None:
    async def run() -> list[tuple[ActKind, str]]:
        async with Sandbox(seed=42, pace=AT_ONCE) as sandbox:
            sandbox.add_mailbox(SENDER, PASSWORD)
            client = await logged_in(sandbox)
            for number in range(40):
                recipient = f"person{number}@theirs.example"
                await client.sendmail(SENDER, [recipient, ANN], campaign_mail(recipient, web=web.url, number=number))
            await client.quit()
            await sandbox.settle()
            return sorted((act.kind, act.recipient) for act in sandbox.acts)

    first = await run()
    assert first == await run()
    assert len(first) > 10


async def test_stopping_ends_plans_and_connections(web: Web) -> None:
    sandbox = Sandbox(pace=Pace(opening=(3_600, 3_600)))
    await sandbox.start()
    sandbox.add_mailbox(SENDER, PASSWORD)
    sandbox.people[ANN] = Behaviour(opens=True)
    client = await logged_in(sandbox)
    await client.sendmail(SENDER, [ANN], campaign_mail(ANN, web=web.url))
    assert sandbox.people.pending == 1
    await sandbox.stop()
    assert sandbox.people.pending == 0
    assert web.asked == []
    with pytest.raises(aiosmtplib.SMTPException):
        await client.noop()
    client.close()


@pytest.mark.parametrize("name", ["smtp_port", "imap_port"])
async def test_a_port_in_use_is_named(sandbox: Sandbox, name: str) -> None:
    port = getattr(sandbox, name)
    second = Sandbox(**{name: port})
    with pytest.raises(PortInUse, match=f"{name[:4].upper()} port {port} on 127.0.0.1 is used by another program"):
        await second.start()
    await second.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
    builder = builder.serial_number(1).not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
    signed = builder.not_valid_after(datetime(2099, 1, 1, tzinfo=UTC)).sign(key, hashes.SHA256())
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + secret)
    return file


@pytest.mark.parametrize("is_implicit", [True, False])
async def test_tls_is_possible_in_both_ways(certificate: Path, is_implicit: bool) -> None:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(certificate)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    async with Sandbox(tls=Tls(server, is_implicit=is_implicit)) as sandbox:
        sandbox.add_mailbox(SENDER, PASSWORD)
        smtp = aiosmtplib.SMTP(
            hostname=sandbox.host,
            port=sandbox.smtp_port,
            use_tls=is_implicit,
            start_tls=not is_implicit,
            tls_context=client,
        )
        await smtp.connect()
        await smtp.login(SENDER, PASSWORD)
        await smtp.sendmail(SENDER, [ANN], campaign_mail(ANN))
        await smtp.quit()
        assert len(sandbox.mails) == 1
        assert await imap_greeting(sandbox, client, is_implicit=is_implicit) == b"a OK"


async def imap_greeting(sandbox: Sandbox, tls: ssl.SSLContext, *, is_implicit: bool) -> bytes:
    """Log in to IMAP over TLS; how the server answers."""
    reader, writer = await asyncio.open_connection(sandbox.host, sandbox.imap_port, ssl=tls if is_implicit else None)
    await reader.readline()
    if not is_implicit:
        writer.write(b"s STARTTLS\r\n")
        await reader.readline()
        await writer.start_tls(tls)
    writer.write(f'a LOGIN {SENDER} "{PASSWORD}"\r\n'.encode())
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return answer[:4]
