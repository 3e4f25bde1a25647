"""Who asks to get no more mail, and who only speaks of it."""

import pytest

from outrider.cli.classifier import CORPUS
from outrider.engine.classify.rules import removal_words, says_nothing
from outrider.engine.classify.training import read_corpus
from outrider.leads.models import BuiltInCategory


@pytest.mark.parametrize(
    "text",
    [
        "unsubscribe",
        "UNSUBSCRIBE!!",
        "Please unsubscribe me.",
        "Stop",
        "remove",
        "Remove me from your list, thanks",
        "Hi, take us off this mailing list please.",
        "Do not contact me again",
        "don't email me",
        "Please delete my data.",
        "Bitte nehmen Sie mich aus dem Verteiler.",
        "Abmelden bitte",
        "Keine weiteren E-Mails bitte.",
        "Désinscription svp",
        "Merci de me retirer : supprimez mon adresse de votre base",
        "Ne me contactez plus",
        "Baja, por favor",
        "Quiero que borren mis datos, elimine mis datos",
        "No me escriba más",
        "Remova-me da sua lista",
        "Não quero mais receber isto",
        "Afmelden aub",
        "Haal mij van de lijst",
        "Cancellatemi dalla vostra lista, grazie",
        "Non mi scrivete più",
        "Avregistrera mig tack",
        "Ta bort mig från listan",
    ],
)
def test_a_plain_wish_to_be_left_out_is_one(text: str) -> None:
    assert removal_words(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "Not interested, thanks.",
        "Don't remove me, I want to stay on the list.",
        "There is no unsubscribe link, is that on purpose?",
        "I'll stop by on Tuesday.",
        "Stopping the old contract takes three months.",
        "We stopped using it.",
        "Can your tool remove people from our list?",
        "Bitte nicht aus dem Verteiler entfernen!",
        "Wie melden sich Kunden ab?",
        "Können wir die Liste noch einmal durchgehen?",
        "On en parle, mais retirez le prix de la liste",
        "Ya le di de baja al otro proveedor",
        "Ik haal de lijst morgen op",
        "Basta così, grazie",
        "Jag tar bort det från agendan",
        "",
        "?",
    ],
)
def test_who_speaks_of_it_does_not_ask_for_it(text: str) -> None:
    assert removal_words(text) is None


def test_a_long_mail_has_more_to_say() -> None:
    assert removal_words("Please remove me from your list. " + "And another thing about our plans. " * 12) is None


@pytest.mark.parametrize("part", ["training", "held_out", "control"])
def test_nobody_else_in_all_the_replies_is_taken_for_one_who_asks(part: str) -> None:
    wrong = [
        each.text
        for each in read_corpus(CORPUS / part)
        if each.category is not BuiltInCategory.DO_NOT_CONTACT and removal_words(each.new_text)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "expected"), [("", True), ("?!", True), ("👍", True), ("42", True), ("ok", False), ("はい", False)]
)
def test_a_reply_may_say_nothing(*, text: str, expected: bool) -> None:
    assert says_nothing(text) is expected
