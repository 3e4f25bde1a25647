"""What is left of a reply when the quote and the signature are taken off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail.parse import parse
from outrider.mail.quote import new_text, visible_html_text, visible_text

QUOTE = "> Hello Mira\n>\n> are you free on Tuesday?\n"

ATTRIBUTIONS = [
    "On Mon, Mar 30, 2026 at 10:00 AM Jo Send <jo@send.example> wrote:",
    "On 30 Mar 2026, at 10:00, Jo Send <jo@send.example> wrote:",
    "On Monday, March 30, 2026 at 10:00:00 AM GMT+2, Jo Send\n<jo@send.example> wrote:",
    "Am 30.03.26 um 10:00 schrieb Jo Send:",
    "Am Mo., 30. März 2026 um 10:00 Uhr schrieb Jo Send <\njo@send.example>:",
    "Le lun. 30 mars 2026 à 10:00, Jo Send <jo@send.example> a écrit :",
    "El lun, 30 mar 2026 a las 10:00, Jo Send (<jo@send.example>) escribió:",
    "Em seg., 30 de mar. de 2026 às 10:00, Jo Send <jo@send.example> escreveu:",
    "Il giorno lun 30 mar 2026 alle ore 10:00 Jo Send <jo@send.example> ha scritto:",
    "Op ma 30 mrt 2026 om 10:00 schreef Jo Send <jo@send.example>:",
    "Den mån 30 mars 2026 kl 10:00 skrev Jo Send <jo@send.example>:",
    "man. 30. mar. 2026 kl. 10.00 skrev Jo Send <jo@send.example>:",
    "ma 30. maalisk. 2026 klo 10.00 Jo Send (jo@send.example) kirjoitti:",
    "pon., 30 mar 2026 o 10:00 Jo Send <jo@send.example> napisał(a):",
    "po 30. 3. 2026 v 10:00 odesílatel Jo Send <jo@send.example> napsal:",
    "Jo Send <jo@send.example> ezt írta (időpont: 2026. márc. 30., H, 10:00):",
    "пн, 30 мар. 2026 г. в 10:00, Jo Send <jo@send.example>:",
    "30 марта 2026 г., в 10:00, Jo Send <jo@send.example> написал(а):",
    "Jo Send <jo@send.example>, 30 Mar 2026 Pzt, 10:00 tarihinde şunu yazdı:",
    "Jo Send <jo@send.example> 于2026年3月30日周一 10:00写道：",
    "2026年3月30日(月) 10:00 Jo Send <jo@send.example>:",
    "2026년 3월 30일 (월) 오전 10:00, Jo Send <jo@send.example>님이 작성:",
]


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_the_line_above_a_quote_and_the_quote_are_cut(attribution: str) -> None:
    assert visible_text(f"Sounds good, Tuesday?\n\n{attribution}\n{QUOTE}") == "Sounds good, Tuesday?\n"


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_a_quote_without_marks_ends_the_new_text(attribution: str) -> None:
    assert visible_text(f"Sounds good\n{attribution}\n\nHello Mira\n\nare you free?\n") == "Sounds good\n"


@pytest.mark.parametrize(
    "block",
    [
        "From: Jo Send <jo@send.example>\nSent: Monday, March 30, 2026 10:00 AM\nTo: Mira Voss\nSubject: Idea\n",
        "________________________________\nFrom: Jo Send <jo@send.example>\nSent: Monday\nTo: Mira\nSubject: Idea\n",
        "*From:* Jo Send <jo@send.example>\n*Date:* Monday\n*To:* Mira\n*Subject:* Idea\n",
        "From: Jo Send\n\nSent: Monday\n\nTo: Mira\n\nSubject: Idea\n",
        "Von: Jo Send <jo@send.example>\nGesendet: Montag, 30. März 2026 10:00\nAn: Mira Voss\nBetreff: Idee\n",
        "De : Jo Send <jo@send.example>\nEnvoyé : lundi 30 mars 2026 10:00\nÀ : Mira Voss\nObjet : Idée\n",
        "De: Jo Send <jo@send.example>\nEnviado el: lunes, 30 de marzo de 2026\nPara: Mira\nAsunto: Idea\n",
        "Da: Jo Send <jo@send.example>\nInviato: lunedì 30 marzo 2026\nA: Mira\nOggetto: Idea\n",
        "Van: Jo Send <jo@send.example>\nVerzonden: maandag 30 maart 2026\nAan: Mira\nOnderwerp: Idee\n",
        "Från: Jo Send <jo@send.example>\nSkickat: den 30 mars 2026\nTill: Mira\nÄmne: Idé\n",
        "发件人: Jo Send <jo@send.example>\n发送时间: 2026年3月30日\n收件人: Mira\n主题: Idea\n",
        "-----Original Message-----\nFrom: Jo Send\n",
        "-----Ursprüngliche Nachricht-----\nVon: Jo Send\n",
        "---------- Forwarded message ---------\nFrom: Jo Send\n",
        "-------- Message d'origine --------\nDe : Jo\n",
        "Begin forwarded message:\n\nFrom: Jo Send\n",
    ],
)
def test_a_copied_header_ends_the_new_text(block: str) -> None:
    assert visible_text(f"Not now, thanks.\n\n{block}\nHello Mira\n") == "Not now, thanks.\n"


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nMira Voss\nTallow Works",
        "--\nMira Voss",
        "Sent from my iPhone",
        "Gesendet von Mail für Windows",
        "Von meinem iPhone gesendet\n",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Inviato da iPhone",
        "Verstuurd vanaf mijn iPhone",
        "Skickat från min iPhone",
        "Get Outlook for iOS<https://aka.example/o0ukef>",
        "从我的iPhone发送",
        "This e-mail and any attachments are confidential and intended for the addressee.",
        "Diese E-Mail enthält vertrauliche Informationen.",
    ],
)
def test_the_signature_is_cut(signature: str) -> None:
    assert visible_text(f"Yes please.\n\n{signature}\n") == "Yes please.\n"


def test_an_answer_below_the_quote_is_kept() -> None:
    assert visible_text(f"On 30 Mar 2026 Jo wrote:\n{QUOTE}\nTuesday suits me.\n") == "Tuesday suits me.\n"


def test_answers_between_the_quoted_lines_are_kept() -> None:
    text = "Hi Jo\n\nOn 30 Mar 2026 Jo wrote:\n> Price?\n100 a month\n> Term?\nOne year\n"
    assert visible_text(text) == "Hi Jo\n\n100 a month\nOne year\n"


@pytest.mark.parametrize(
    "text",
    [
        "As I wrote:\nno budget this year.\n",
        "Here is what you can do:\n- call me\n- mail me\n",
        "From: a to b is a long way\nbut we can.\n",
        "We need 3 things:\nprice, term, start.\n",
        "Hello\n\n\nBest regards,\nMira\n".replace("\n\n\n", "\n\n"),
    ],
)
def test_text_that_only_looks_like_a_quote_is_kept(text: str) -> None:
    assert visible_text(text) == text


@pytest.mark.parametrize(
    "text", ["", "  \n\n", QUOTE, f"On 30 Mar 2026 Jo wrote:\n{QUOTE}", "Sent from my iPhone\n\n" + QUOTE]
)
def test_nothing_new_gives_no_text(text: str) -> None:
    assert visible_text(text) == ""


def test_a_confidentiality_banner_at_the_top_does_not_hide_the_answer() -> None:
    text = "This message is confidential.\n\nYes, call me.\n"
    assert "call me" in visible_text(text)


HEADERS = [
    "From: Jo <jo@send.example>|Sent: Monday, March 30, 2026 10:00 AM|To: Mira Voss|Subject: Idea",
    "Von: Jo <jo@send.example>|Gesendet: Montag, 30. März 2026 10:00|An: Mira Voss|Betreff: Idee",
    "De : Jo <jo@send.example>|Envoyé : lundi 30 mars 2026 10:00|À : Mira Voss|Objet : Idée",
    "De: Jo <jo@send.example>|Enviado el: lunes, 30 de marzo de 2026|Para: Mira|Asunto: Idea",
    "De: Jo <jo@send.example>|Enviada em: segunda-feira, 30 de março de 2026|Para: Mira|Assunto: Ideia",
    "Da: Jo <jo@send.example>|Inviato: lunedì 30 marzo 2026|A: Mira|Oggetto: Idea",
    "Van: Jo <jo@send.example>|Verzonden: maandag 30 maart 2026|Aan: Mira|Onderwerp: Idee",
    "Från: Jo <jo@send.example>|Skickat: den 30 mars 2026|Till: Mira|Ämne: Idé",
    "Fra: Jo <jo@send.example>|Sendt: 30. marts 2026|Til: Mira|Emne: Ide",
    "Lähettäjä: Jo <jo@send.example>|Lähetetty: maanantai 30. maaliskuuta 2026|Vastaanottaja: Mira|Aihe: Idea",
    "Od: Jo <jo@send.example>|Wysłano: poniedziałek, 30 marca 2026|Do: Mira|Temat: Pomysł",
    "От: Jo <jo@send.example>|Отправлено: 30 марта 2026 г.|Кому: Mira|Тема: Идея",
    "Kimden: Jo <jo@send.example>|Gönderildi: 30 Mart 2026|Kime: Mira|Konu: Fikir",
    "差出人: Jo <jo@send.example>|送信日時: 2026年3月30日|宛先: Mira|件名: Idea",
]


@pytest.mark.parametrize("headers", HEADERS)
def test_a_header_block_of_exchange_is_found_in_html_of_whatever_make(headers: str) -> None:
    lines = [line.partition(":") for line in headers.replace("<", "&lt;").split("|")]
    bold = "<br>".join(f"<b>{label}:</b>{value}" for label, _, value in lines)
    for block in (f"<hr><font face=Tahoma>{bold}</font>", "".join(f"<p>{a}{b}{c}</p>" for a, b, c in lines)):
        html = f"<div>Not now, thanks.</div><div>{block}</div><div>Hello Mira</div>"
        assert visible_html_text(html) == "Not now, thanks.\n"


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_the_line_above_a_quote_is_found_in_html_without_any_mark(attribution: str) -> None:
    line = attribution.replace("<\n", "<").replace("<", "&lt;").replace(">", "&gt;")
    html = f"<div>Sounds good</div><div>{line}<br></div><div>Hello Mira</div><div>are you free?</div>"
    assert visible_html_text(html) == "Sounds good\n"


GMAIL = """<div dir="ltr">Sounds good</div><br><div class="gmail_quote gmail_quote_container">
<div dir="ltr" class="gmail_attr">On Mon, Mar 30, 2026, Jo wrote:<br></div><blockquote>Hello Mira</blockquote></div>"""
OUTLOOK_WEB = """<div>Sounds good</div><div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>From:</b> Jo<br>
<b>Sent:</b> Mon<br><b>To:</b> Mira<br><b>Subject:</b> Idea</div><div>Hello Mira</div>"""
OUTLOOK = """<html><body><div class="WordSection1"><p class="MsoNormal">Sounds good</p>
<div><div style="border:none;border-top:solid #E1E1E1 1.0pt"><p><b>Von:</b> Jo</p></div></div>
<p>Hello Mira</p></div>"""
APPLE = """<html><body>Sounds good<br><div><br><blockquote type="cite"><div>On 30 Mar 2026, Jo wrote:</div>
<div>Hello Mira</div></blockquote></div></body></html>"""
THUNDERBIRD = """<p>Sounds good</p><div class="moz-cite-prefix">Am 30.03.26 um 10:00 schrieb Jo:<br></div>
<blockquote type="cite">Hello Mira</blockquote>"""
YAHOO = """<div class="ydp">Sounds good</div><div id="yahoo_quoted_1" class="yahoo_quoted">
<div>On Monday, Jo wrote:</div><div>Hello Mira</div></div>"""


@pytest.mark.parametrize(
    "html",
    [
        GMAIL,
        OUTLOOK_WEB,
        OUTLOOK,
        APPLE,
        THUNDERBIRD,
        YAHOO,
        '<div>Sounds good</div><div class="gmail_signature">Mira Voss</div>',
        "<div>Sounds good<br><br>-- <br>Mira Voss</div>",
        "<div>Sounds good</div><div>From: Jo<br>Sent: Monday<br>To: Mira<br>Subject: Idea</div><div>Hello Mira</div>",
    ],
    ids=[
        "gmail",
        "outlook-web",
        "outlook",
        "apple",
        "thunderbird",
        "yahoo",
        "gmail-signature",
        "dashes",
        "header-text",
    ],
)
def test_quotes_and_signatures_of_html_are_cut(html: str) -> None:
    assert visible_html_text(html) == "Sounds good\n"


def test_an_answer_inside_the_quoted_html_is_not_lost() -> None:
    html = '<div class="gmail_quote">On 30 Mar 2026 Jo wrote:<blockquote>Price?</blockquote>100 a month</div>'
    assert visible_html_text(html) == "100 a month\n"


def test_the_html_form_is_read_when_the_text_form_is_empty() -> None:
    raw = (
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\n<p>Yes</p><blockquote>old</blockquote>\r\n--b--\r\n"
    )
    assert new_text(parse(raw)) == "Yes\n"


@pytest.mark.parametrize(
    "text",
    [
        "On 1 " * 40_000,
        "> x\n" * 100_000,
        "a:\n" * 60_000,
        "On 1 a\n:\n" * 30_000,
        "From: x\n" * 30_000,
        "\n" * 300_000,
    ],
    ids=["one-line", "quotes", "colons", "attributions", "headers", "blank"],
)
def test_a_hostile_text_is_read_in_one_pass(text: str) -> None:
    assert len(visible_text(text)) <= len(text) + 1


@given(st.text(alphabet=st.sampled_from("OnFrom: wrte>\n-12@<> Sent"), max_size=200))
def test_the_new_text_is_made_of_lines_of_the_reply(text: str) -> None:
    visible = visible_text(text)
    assert visible == "" or visible.endswith("\n")
    assert {line for line in visible.splitlines() if line} <= {line.strip() for line in text.split("\n")} | {
        line.rstrip() for line in text.split("\n")
    }
