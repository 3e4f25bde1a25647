"""Which parts of a mail are its text, its HTML and its attachments."""

import base64
from email.message import EmailMessage

import pytest

from outrider.mail import body
from outrider.mail.parse import Incoming, parse


def multipart(kind: str, *parts: str) -> str:
    """A multipart whose parts are given with their headers."""
    boundary = f"b{len(''.join(parts))}"
    joined = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n{joined}--{boundary}--\r\n'


def plain(text: str) -> str:
    return f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}"


def html(text: str) -> str:
    return f"Content-Type: text/html; charset=utf-8\r\n\r\n{text}"


def attached(name: str, content: bytes, *, kind: str = "application/pdf", disposition: str = "attachment") -> str:
    encoded = base64.encodebytes(content).decode()
    return (
        f'Content-Type: {kind}; name="{name}"\r\nContent-Disposition: {disposition}; filename="{name}"\r\n'
        f"Content-Transfer-Encoding: base64\r\n\r\n{encoded}"
    )


def read(source: str) -> Incoming:
    return parse(f"From: a@acme.example\r\n{source}".encode())


def test_a_plain_mail_has_text_and_no_html() -> None:
    mail = read(plain("Hello\r\nyou\r\n"))
    assert (mail.text, mail.html) == ("Hello\nyou\n", None)
    assert mail.html_form == "<p>Hello<br>you</p>"


def test_an_html_mail_is_kept_as_received() -> None:
    mail = read(html('<p onclick="x()">Hello</p>\r\n'))
    assert (mail.text, mail.html) == (None, '<p onclick="x()">Hello</p>')
    assert mail.html_form == mail.html


def test_alternatives_give_both_forms() -> None:
    mail = read(multipart("alternative", plain("Hello"), html("<p>Hello</p>")))
    assert (mail.text, mail.html) == ("Hello", "<p>Hello</p>")


def test_the_richest_of_several_html_alternatives_is_taken() -> None:
    related = multipart(
        "related", html("<p>rich</p>"), attached("a.png", b"PNG", kind="image/png", disposition="inline")
    )
    mail = read(multipart("mixed", multipart("alternative", plain("plain"), html("<p>poor</p>"), related)))
    assert (mail.text, mail.html) == ("plain", "<p>rich</p>")
    assert [(part.name, part.is_inline) for part in mail.attachments] == [("a.png", True)]


def test_text_around_pictures_is_put_together() -> None:
    mail = read(multipart("mixed", plain("before"), attached("a.jpg", b"JPG", kind="image/jpeg"), plain("after")))
    assert (mail.text, mail.html) == ("before\nafter", None)


def test_a_plain_foot_of_an_html_mail_is_kept_in_both_forms() -> None:
    mail = read(multipart("mixed", multipart("alternative", plain("Hello"), html("<p>Hello</p>")), plain("-- list")))
    assert (mail.text, mail.html) == ("Hello\n-- list", "<p>Hello</p><p>-- list</p>")


def test_attachments_have_name_type_size_and_content() -> None:
    mail = read(
        multipart(
            "mixed", plain("see"), attached("Angebot.pdf", b"%PDF-1.7" * 10), attached("b.txt", b"x", kind="text/plain")
        )
    )
    first, second = mail.attachments
    assert (first.name, first.content_type, first.size, first.content) == (
        "Angebot.pdf",
        "application/pdf",
        80,
        b"%PDF-1.7" * 10,
    )
    assert (second.name, second.content) == ("b.txt", b"x")
    assert mail.text == "see"


@pytest.mark.parametrize(
    ("parameter", "name"),
    [
        ('filename="=?utf-8?q?Gr=C3=BC=C3=9Fe.pdf?="', "Grüße.pdf"),
        ("filename*=utf-8''Gr%C3%BC%C3%9Fe.pdf", "Grüße.pdf"),
        ('filename*0="long"; filename*1="name.pdf"', "longname.pdf"),
        ('filename="../../etc/passwd"', "_.._etc_passwd"),
        ('filename="C:\\\\temp\\\\a.pdf"', "C_temp_a.pdf"),
        ("filename*=utf-8''a%00b%0d%0a.pdf", "ab .pdf"),
        ("filename*=nonsense''%ff.pdf", "ÿ.pdf"),
        ("filename*=utf-8''invoice%E2%80%AEfdp.exe", "invoice_fdp.exe"),  # a mark that turns what follows around
        ('filename=""', ""),
    ],
)
def test_names_of_attachments_are_decoded_and_safe(parameter: str, name: str) -> None:
    mail = read(f"Content-Type: application/pdf\r\nContent-Disposition: attachment; {parameter}\r\n\r\nx")
    assert mail.attachments[0].name == name


def test_content_beyond_the_limit_is_listed_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_CONTENT", 100)
    mail = read(multipart("mixed", attached("a", b"a" * 80), attached("b", b"b" * 80), attached("c", b"c" * 10)))
    assert [(part.size, part.content is None) for part in mail.attachments] == [(80, False), (80, True), (10, False)]


def test_one_that_is_too_large_is_listed_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_ATTACHMENT", 50)
    mail = read(multipart("mixed", attached("a", b"a" * 51), attached("b", b"b" * 50)))
    assert [(part.name, part.size, part.content is None) for part in mail.attachments] == [
        ("a", 51, True),
        ("b", 50, False),
    ]


def test_of_too_many_the_rest_is_listed_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_ATTACHMENTS", 2)
    mail = read(multipart("mixed", *(attached(name, b"x") for name in "abc")))
    assert [part.content for part in mail.attachments] == [b"x", b"x", None]


def test_the_last_attachment_of_a_mail_that_was_cut_is_a_fragment() -> None:
    source = multipart("mixed", plain("see"), attached("a", b"a" * 80), attached("b", b"b" * 800)).encode()
    whole, cut = parse(source), parse(source[:-700], is_cut=True)
    assert [part.content is None for part in whole.attachments] == [False, False]
    assert [(part.name, part.content is None) for part in cut.attachments] == [("a", False), ("b", True)]
    assert cut.text == "see"


def test_a_forwarded_message_is_an_attachment_and_not_the_text() -> None:
    mail = read(
        multipart("mixed", plain("see below"), "Content-Type: message/rfc822\r\n\r\nSubject: Old\r\n\r\nold text\r\n")
    )
    assert mail.text == "see below"
    assert mail.attachments[0].content_type == "message/rfc822"
    assert b"old text" in (mail.attachments[0].content or b"")


def test_parts_nested_too_deeply_are_left_out() -> None:
    source = plain("deep")
    for _ in range(body.MAX_DEPTH + 1):
        source = multipart("mixed", plain("level"), source)
    text = read(source).text or ""
    assert text.count("level") == body.MAX_DEPTH
    assert "deep" not in text


def test_a_multipart_whose_boundary_never_comes_is_text() -> None:
    assert read('Content-Type: multipart/mixed; boundary="x"\r\n\r\nJust text\r\n').text == "Just text\n"


def test_a_truncated_multipart_gives_what_is_there() -> None:
    whole = multipart("alternative", plain("Hello there"), html("<p>Hello there</p>"))
    assert read(whole[: whole.index("<p>Hello") + 5]).text == "Hello there"


def test_what_the_standard_library_writes_is_read_back() -> None:
    message = EmailMessage()
    message["From"] = "Zoë <zoe@acme.example>"
    message.set_content("Grüße 😀\n", cte="quoted-printable")
    message.add_alternative("<p>Grüße 😀</p>\n", subtype="html", cte="base64")
    message.add_attachment(b"\x00\xff", maintype="application", subtype="octet-stream", filename="ü.bin")
    mail = parse(message.as_bytes())
    assert (mail.text, mail.html) == ("Grüße 😀\n", "<p>Grüße 😀</p>")
    assert [(part.name, part.content) for part in mail.attachments] == [("ü.bin", b"\x00\xff")]
