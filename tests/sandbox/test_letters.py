from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from outrider.sandbox import letters
from outrider.sandbox.letters import Letter, Person
from outrider.sandbox.people import Language, ReplyKind, dice
from tests.sandbox.test_mails import NOW, received
from tests.sandbox.writing import SENDER, campaign_mail

ANN = Person("ann.van-dyck@theirs.example", Language.ENGLISH)
LATER = NOW + timedelta(hours=3)
THREAD = tuple(f"{number:0>8}-aaaa-bbbb-cccc-dddddddddddd@ours.example" for number in range(3))


def read(letter: Letter) -> EmailMessage:
    return message_from_bytes(letter.raw, policy=policy.default)


def text_of(letter: Letter) -> str:
    part = read(letter).get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def reply(kind: ReplyKind, *, language: Language = Language.ENGLISH, seed: int = 1, raw: bytes | None = None) -> Letter:
    mail = received(raw or campaign_mail(ANN.address, subject="Invoices, größer gedacht"))
    person = Person(ANN.address, language)
    return letters.reply(mail, kind, person=person, now=LATER, random=dice(seed))


def test_the_name_of_a_person_is_made_of_the_address() -> None:
    assert ANN.name == "Ann Van Dyck"
    assert Person("info+x@theirs.example", Language.ENGLISH).name == "Info"


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("kind", list(ReplyKind))
@pytest.mark.parametrize("seed", range(5))
def test_each_kind_of_reply_can_be_written_in_each_language(kind: ReplyKind, language: Language, seed: int) -> None:
    letter = reply(kind, language=language, seed=seed)
    text = text_of(letter)
    mine, _, quoted = text.partition("> Do you still print your invoices?")
    attribution = {Language.ENGLISH: "On Mon, Jan 5, 2026 at 09:30", Language.GERMAN: "Am Mo., 5. Januar 2026 um 09:30"}
    assert attribution[language] in mine
    assert mine.strip()
    assert not quoted.strip()
    assert read(letter)["Subject"] in {"Re: Invoices, größer gedacht", "AW: Invoices, größer gedacht"}


def test_a_reply_is_threaded_by_its_headers() -> None:
    raw = campaign_mail(ANN.address, number=9, subject="Re: Hello", thread=THREAD)
    message = read(reply(ReplyKind.QUESTION, raw=raw))
    assert message["In-Reply-To"] == "<mail-9@ours.example>"
    assert message["References"].split() == [f"<{each}>" for each in (*THREAD, "mail-9@ours.example")]
    assert message["Subject"].endswith(": Hello")
    assert message["Subject"].count(":") == 1


def test_a_reply_goes_to_reply_to_if_there_is_one() -> None:
    raw = campaign_mail(ANN.address).replace(b"To: ann", b"Reply-To: Team <team@ours.example>\r\nTo: ann")
    letter = reply(ReplyKind.INTERESTED, raw=raw)
    assert letter.recipient == "team@ours.example"
    assert letter.envelope_sender == ANN.address
    assert "Hi Team" in text_of(letter) or "Hello Team" in text_of(letter) or "tell me more" in text_of(letter)


def test_a_person_with_an_address_beyond_ascii_can_answer() -> None:
    person = Person("jürgen@theirs.example", Language.GERMAN)
    mail = received(campaign_mail(ANN.address), recipient=person.address)
    letter = letters.reply(mail, ReplyKind.QUESTION, person=person, now=LATER, random=dice(1))
    assert "From: Jürgen <jürgen@theirs.example>".encode() in letter.raw


def test_the_same_reply_has_the_same_message_id() -> None:
    assert reply(ReplyKind.QUESTION).message_id == reply(ReplyKind.QUESTION).message_id
    assert reply(ReplyKind.QUESTION).message_id != reply(ReplyKind.INTERESTED).message_id
    assert read(reply(ReplyKind.QUESTION))["Message-ID"] == f"<{reply(ReplyKind.QUESTION).message_id}>"


@pytest.mark.parametrize(
    ("language", "subject", "said"),
    [
        (Language.ENGLISH, "Automatic reply: A question about Acme", "out of the office until January"),
        (Language.GERMAN, "Automatische Antwort: A question about Acme", "nicht im Büro"),
    ],
)
def test_out_of_office_notes_are_automatic_and_say_until_when(language: Language, subject: str, said: str) -> None:
    mail = received(campaign_mail(ANN.address))
    letter = letters.out_of_office(mail, person=Person(ANN.address, language), now=NOW, random=dice(1))
    message = read(letter)
    assert (letter.recipient, letter.envelope_sender) == (SENDER, "")
    assert (message["Auto-Submitted"], message["Subject"]) == ("auto-replied", subject)
    assert message["In-Reply-To"] == "<mail-1@ours.example>"
    assert said in text_of(letter)


def test_a_removal_request_is_what_the_mailto_address_asks_for() -> None:
    mail = received(campaign_mail(ANN.address))
    letter = letters.removal_request(mail, "mailto:out%2B7@ours.example?subject=leave%207", person=ANN, now=NOW)
    assert (letter.recipient, read(letter)["Subject"]) == ("out+7@ours.example", "leave 7")
    assert read(letter)["References"] is None


def test_a_mail_without_a_date_can_be_answered() -> None:
    raw = f"From: {SENDER}\r\nSubject: Hi\r\n\r\nText\r\n".encode()
    assert f"at 12:30 {SENDER} wrote:" in text_of(reply(ReplyKind.QUESTION, raw=raw))
