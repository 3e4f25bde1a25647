"""The worked data set of the contract: thirteen mails, forty events (contract: analytics, Worked data set)."""

from uuid import UUID

from tests.analytics.history import Campaign, Client, Event, History, Lead, Mail, Mailbox, ManualReply, at

USER = 1
NOW = at("08-05 12:00:00")

_MAILS = """
101 kim 201 1 07-28 14:00:00 | OPEN 07-30 18:00:00
101 kim 201 2 07-31 02:30:00 | OPEN 07-31 03:10:00; CLICK 07-31 03:12:00; OPEN 07-31 15:00:00; REPLY 07-31 16:00:00; REPLY 07-31 18:30:00
101 lee 201 1 07-30 13:00:00 | OPEN 07-30 13:00:04 machine; REPLY 08-01 14:05:00
101 lee 201 2 08-01 13:00:00 | OPEN 08-01 13:20:00; UNSUBSCRIBE 08-01 14:30:00
101 mia 202 1 07-30 23:50:00 | CLICK 07-30 23:50:03 machine; OPEN 07-31 00:20:00
101 noa 202 1 08-01 01:15:00 | BOUNCE 08-01 01:16:00
102 oli 202 1 07-31 09:00:00 | REPLY 08-01 03:30:00
102 pat 203 1 07-31 10:00:00 | BOUNCE 08-01 00:05:00
102 kim 203 1 08-01 10:00:00 | REPLY 08-01 12:00:00
103 quin 203 1 08-01 23:30:00 | UNSUBSCRIBE 08-02 09:00:00
103 ray 203 1 08-02 00:10:00 | OPEN 08-02 00:40:00; REPLY 08-05 09:00:00
103 quin 203 2 08-03 00:30:00 |
102 oli 202 2 08-02 09:00:00 | REPLY 08-04 10:00:00
"""  # noqa: E501


def _mail(line: str) -> Mail:
    head, _, told = line.partition("|")
    campaign, lead, mailbox, step, *sent = head.split()
    words = [part.split() for part in told.split(";") if part.strip()]
    events = tuple(Event(each[0], at(" ".join(each[1:3])), is_machine=each[-1] == "machine") for each in words)
    is_tracked = campaign != "102"
    sent_at = at(" ".join(sent))
    return Mail(int(campaign), f"{lead}@l.example", int(mailbox), int(step), sent_at, events, is_tracked)


_CATEGORIES = {(101, "kim"): 1, (102, "oli"): 2, (101, "lee"): 3, (103, "ray"): 5}
_MEMBERS = {(101, "kim"): 301, (101, "lee"): 301, (102, "oli"): 302}
MAILS = [_mail(line) for line in _MAILS.strip().splitlines()]

WORKED = History(
    clients=[
        Client(
            501,
            "Northwind",
            at("06-03 08:00:00"),
            "ops@northwind.example",
            UUID("0b0f5c1e-5a7b-4b57-9c53-7d1a0c7a0501"),
            "Northwind",
        ),
        Client(
            502,
            "Fabrikam",
            at("07-21 08:00:00"),
            "ops@fabrikam.example",
            UUID("0b0f5c1e-5a7b-4b57-9c53-7d1a0c7a0502"),
        ),
    ],
    campaigns=[
        Campaign(101, "Alpha Outreach", 501, "ACTIVE", at("07-01 09:00:00")),
        Campaign(102, "Beta Launch", 502, "PAUSED", at("07-22 09:00:00"), is_tracked=False),
        Campaign(103, "Gamma Revival", None, "COMPLETED", at("07-25 09:00:00")),
    ],
    mailboxes=[
        Mailbox(201, "ana@acme-mail.example", "GMAIL", 501, (901,), (101,), warmup="ACTIVE"),
        Mailbox(202, "bob@acme-mail.example", "GMAIL", 502, (901, 902), (101, 102), warmup="INACTIVE"),
        Mailbox(203, "cy@orbit.example", "OUTLOOK", None, (), (102, 103), is_imap_success=False, warmup="ACTIVE"),
    ],
    tags=[(901, "Warm", "#A3D9C9"), (902, "Cold", "#D9C3A3")],
    people=[(301, "Dana Reyes"), (302, "Eli Park")],
    mails=MAILS,
    leads=[
        Lead(campaign, f"{lead}@l.example", _CATEGORIES.get((campaign, lead)), member_id=_MEMBERS.get((campaign, lead)))
        for campaign, lead in dict.fromkeys((mail.campaign_id, mail.lead.split("@")[0]) for mail in MAILS)
    ],
    manual_replies=[
        ManualReply(101, "kim@l.example", at("07-31 18:00:00")),
        ManualReply(102, "oli@l.example", at("08-04 12:00:00")),
    ],
)
