"""Answers that ask for no more mail are told from those that only speak of it."""

import tomllib
from pathlib import Path

import pytest

from outrider.mail.opt_out import asks_for_no_more
from outrider.mail.parse import parse


def asks(text: str, subject: str = "Re: Port fees") -> bool:
    head = f"From: Ada <ada@hexly.example>\r\nSubject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    return asks_for_no_more(parse(f"{head}{text}\r\n".encode()))


@pytest.mark.parametrize(
    "text",
    [
        "Unsubscribe",
        "STOP",
        "stop.",
        "Please remove me",
        "Remove me please, thanks!",
        "unsubscribe\r\n\r\nAda Quill\r\nHexly",
        "Please unsubscribe me from this list.",
        "Hi Jo,\r\n\r\nplease take me off your mailing list.\r\n\r\nAda",
        "Take us off this list immediately.",
        "I would like to unsubscribe.",
        "Not interested. Please remove my email from your database.",
        "Stop emailing me!",
        "Please don't contact me again.",
        "Do not email me any more.",
        "Kindly delete my address from your list",
        "No more emails please.",
        "Abmelden",
        "Bitte nehmen Sie mich aus Ihrem Verteiler.",
        "Bitte streichen Sie unsere Adresse von Ihrer Liste.",
        "Kein Interesse, bitte keine weiteren Mails mehr.",
        "Schreiben Sie mir bitte nicht mehr.",
        "Merci de me désinscrire.",
        "Désabonnez-moi de votre liste svp",
        "Merci de ne plus me contacter.",
        "Ne m'écrivez plus.",
        "Baja",
        "Por favor, deme de baja.",
        "Elimíneme de su lista, gracias.",
        "No me escriba más.",
        "Por favor remova meu e-mail da sua lista.",
        "Não me envie mais e-mails.",
        "Cancellatemi dalla vostra lista",
        "Vi prego di cancellare il mio indirizzo.",
        "Non desidero più ricevere le vostre mail.",
        "Gelieve mij uit te schrijven.",
        "Haal me van deze lijst.",
        "Geen mails meer aub",
        "Ta bort mig från listan.",
        "Sluta skicka mejl till mig.",
        "Fjern mig fra listen, tak.",
        "Slutt å sende meg e-post.",
        "Proszę mnie wypisać z listy. Usuńcie mój adres: usuń mnie",
        "Больше не пишите мне.",
        "Leave me alone.",
        "Under GDPR I request that you erase all personal data you hold on me.",
        "I don't want to receive any further emails from you.",
        "Hiermit widerspreche ich der Nutzung meiner Daten zu Werbezwecken.",
        "Ich bitte um Austragung aus Ihrer Liste.",
        "Je m'oppose à l'utilisation de mon adresse.",
        "Déjeme en paz.",
        "Lasciatemi in pace.",
        "Parem com esses emails automáticos",
        "Neem geen contact meer met mij op.",
        "Jag vill inte få fler mejl från er.",
    ],
)
def test_a_request_to_be_taken_off(text: str) -> None:
    assert asks(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Tell me more.",
        "How do your customers unsubscribe me from their lists?",
        "I don't want to unsubscribe, quite the contrary.",
        "We stop production on Friday, call me then.",
        "Stop by our booth in Hanover!",
        "Not interested at the moment.",
        "Please remove me from cc and write to Bo only.",
        "Could you remove the second page from the offer?",
        "Don't contact me on Monday, I am away. Tuesday is fine.",
        "Does your tool let people unsubscribe?",
        "Please send no more than two samples.",
        "Wir nehmen Sie gern in unseren Verteiler auf.",
        "Ich nehme das Angebot an.",
        "Je vous recontacte la semaine prochaine.",
        "No me interesa por ahora, escríbame en junio.",
        "Ik haal mijn collega erbij.",
        "Aus gesundheitlichen Gründen kann ich zurzeit keine Mails beantworten. Bitte die Zentrale anrufen.",
        "Ta bort punkt tre ur offerten, så tar vi den.",
        "Sure.\r\n\r\n> Reply STOP to unsubscribe.\r\n> Please remove me",
        "Sounds good.\r\n\r\nOn Mon, Mar 2, 2026 at 9:00 Jo <jo@send.example> wrote:\r\n> unsubscribe me",
    ],
)
def test_what_only_speaks_of_it(text: str) -> None:
    assert not asks(text)


def test_the_subject_of_a_mail_without_text_counts() -> None:
    assert asks("", subject="Unsubscribe")
    assert not asks("", subject="Re: How to unsubscribe")
    assert not asks("What is this?", subject="Unsubscribe")


def test_no_reply_of_the_classifier_s_corpus_that_wants_something_else_is_one() -> None:
    """Three thousand replies in eight languages, written for another purpose: who is taken off by mistake is lost."""
    corpus = Path(__file__).parents[2] / "corpus" / "replies"
    files = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(corpus.rglob("*.toml"))]
    others = [text for each in files for name, texts in each.items() if name != "do_not_contact" for text in texts]
    assert len(others) > 2_000
    assert [text for text in others if asks(text)] == []
