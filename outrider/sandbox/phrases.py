"""What people write, by kind and language. Templates of str.format with the names of both sides."""

from outrider.sandbox.people import Language, ReplyKind

REPLIES: dict[tuple[ReplyKind, Language], tuple[str, ...]] = {
    (ReplyKind.INTERESTED, Language.ENGLISH): (
        "Hi {sender},\n\nthis comes at a good time. Could you send me some more details and a price?\n\nBest,\n{name}",
        "Sounds interesting, tell me more.\n\n{name}\n\nSent from my iPhone",
        "Hello {sender},\n\nyes, we are looking into exactly this. How would we get started?\n\nKind regards\n{name}",
    ),
    (ReplyKind.INTERESTED, Language.GERMAN): (
        "Hallo {sender},\n\ndas klingt interessant. Können Sie mir mehr dazu schicken?\n\nViele Grüße\n{name}",
        "Guten Tag,\n\ngerne, schicken Sie mir bitte ein Angebot.\n\nMit freundlichen Grüßen\n{name}",
    ),
    (ReplyKind.MEETING, Language.ENGLISH): (
        "Hi {sender},\n\nhappy to talk. How about Thursday at 3 pm?\n\n{name}",
        "Sure, send me a calendar invite for next week, mornings are best.\n\nThanks\n{name}",
    ),
    (ReplyKind.MEETING, Language.GERMAN): (
        "Hallo {sender},\n\nlassen Sie uns telefonieren, Donnerstag um 15 Uhr würde passen.\n\nGrüße\n{name}",
    ),
    (ReplyKind.QUESTION, Language.ENGLISH): (
        "Hi {sender},\n\ndoes this work with the systems we have, and where is the data kept?\n\nThanks\n{name}",
        "Who else in our industry is using this?\n\n{name}",
    ),
    (ReplyKind.QUESTION, Language.GERMAN): (
        "Hallo {sender},\n\nwo werden die Daten gespeichert, und was kostet das ungefähr?\n\nBeste Grüße\n{name}",
    ),
    (ReplyKind.NOT_INTERESTED, Language.ENGLISH): (
        "Hi {sender},\n\nthank you, but we are not interested.\n\n{name}",
        "We already have a solution for this and are happy with it. No, thanks.\n\nRegards\n{name}",
    ),
    (ReplyKind.NOT_INTERESTED, Language.GERMAN): (
        "Guten Tag,\n\nvielen Dank, aber daran haben wir kein Interesse.\n\nMit freundlichen Grüßen\n{name}",
    ),
    (ReplyKind.WRONG_PERSON, Language.ENGLISH): (
        "Hi {sender},\n\nI am not the right person for this, please ask our purchasing department.\n\n{name}",
    ),
    (ReplyKind.WRONG_PERSON, Language.GERMAN): (
        "Hallo,\n\ndafür bin ich nicht zuständig. Bitte wenden Sie sich an den Einkauf.\n\nGrüße\n{name}",
    ),
    (ReplyKind.REMOVE_ME, Language.ENGLISH): (
        "Please remove me from your list.\n\n{name}",
        "Unsubscribe",
        "Stop emailing me.",
    ),
    (ReplyKind.REMOVE_ME, Language.GERMAN): (
        "Bitte nehmen Sie mich aus Ihrem Verteiler.\n\n{name}",
        "Bitte keine weiteren E-Mails.",
    ),
}

OUT_OF_OFFICE = {
    Language.ENGLISH: "Hello,\n\nthank you for your message. I am out of the office until {until:%B} {until.day}, "
    "{until.year}. In urgent cases please write to office@{domain}.\n\nBest regards\n{name}",
    Language.GERMAN: "Guten Tag,\n\nvielen Dank für Ihre Nachricht. Ich bin bis zum {until:%d.%m.%Y} nicht im Büro. "
    "In dringenden Fällen wenden Sie sich bitte an office@{domain}.\n\nMit freundlichen Grüßen\n{name}",
}
OUT_OF_OFFICE_SUBJECT = {
    Language.ENGLISH: "Automatic reply: {subject}",
    Language.GERMAN: "Automatische Antwort: {subject}",
}

ATTRIBUTION = {
    Language.ENGLISH: "On {day}, {month} {at.day}, {at.year} at {at:%H:%M} {sender} wrote:",
    Language.GERMAN: "Am {day}., {at.day}. {month} {at.year} um {at:%H:%M} Uhr schrieb {sender}:",
}
DAYS = {
    Language.ENGLISH: ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    Language.GERMAN: ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"),
}
MONTHS = {
    Language.ENGLISH: ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    Language.GERMAN: (
        *("Januar", "Februar", "März", "April", "Mai", "Juni"),
        *("Juli", "August", "September", "Oktober", "November", "Dezember"),
    ),
}
