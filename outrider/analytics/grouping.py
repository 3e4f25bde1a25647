"""By what mails are counted: campaign, client, mailbox, day …"""

from dataclasses import dataclass
from enum import Enum
from typing import LiteralString


@dataclass(frozen=True, slots=True)
class Grouping:
    """By what mails are counted: the names of the columns that tell groups apart, what they are, where they are."""

    names: LiteralString
    columns: LiteralString
    joins: LiteralString = ""


class By(Enum):
    EVERYTHING = Grouping("everything", "true AS everything")
    CAMPAIGN = Grouping(
        "campaign_id, campaign_name",
        "mail.campaign_id, campaign.name AS campaign_name",
        "JOIN campaign ON campaign.id = mail.campaign_id",
    )
    CLIENT = Grouping(
        "client_id, client_name, client_email",
        "mail.client_id, client.name AS client_name, client.email AS client_email",
        "JOIN clients AS client ON client.id = mail.client_id",
    )
    MAILBOX = Grouping("mailbox_id", "mail.mailbox_id")
    ADDRESS = Grouping("from_email", "mail.from_email")
    DOMAIN = Grouping("domain", "split_part(mail.from_email, '@', -1) AS domain")
    PROVIDER = Grouping(
        "mailbox_type", "mailbox.type AS mailbox_type", "JOIN mailboxes AS mailbox ON mailbox.id = mail.mailbox_id"
    )
    PROVIDER_AND_TAG = Grouping(
        "mailbox_type, tag_id, tag_name, tag_color",
        "mailbox.type AS mailbox_type, mailbox_tags.tag_id, tag.name AS tag_name, tag.color AS tag_color",
        """
              JOIN mailboxes AS mailbox ON mailbox.id = mail.mailbox_id
              JOIN mailbox_tags ON mailbox_tags.mailbox_id = mailbox.id
              JOIN tags AS tag ON tag.id = mailbox_tags.tag_id
        """,
    )
    DAY = Grouping("day", "width_bucket(mail.sent_at, %(midnights)s::timestamptz[]) AS day")
    MEMBER = Grouping("team_member_id", "mail.team_member_id")
    STEP = Grouping("step_id", "mail.step_id")
    VARIANT = Grouping("step_id, variant_id", "mail.step_id, mail.variant_id")
