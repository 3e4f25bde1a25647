"""Which mails count, and what happened to each: the one definition that every figure stands on.

A statement begins with `WITH campaign AS (…), mail AS (…)`, so `FROM mail` are the mails of the sequences of the
campaigns that are asked for. A mail counts from the moment the server took it, or refused its recipient for good
(decision 29). Each event counts once for a mail, when it first happened; opens and clicks are those of people.
Mails of a sequence that was emptied count nowhere (contract: campaigns, Save Campaign Sequence).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The campaigns that are asked for. `key_client_id`: the key's own client; all conditions hold together."""

    user_id: int
    key_client_id: int | None = None
    client_ids: Sequence[int] | None = None
    campaign_ids: Sequence[int] | None = None
    has_client: bool = False
    """Only campaigns that belong to some client."""
    is_rolled: bool = False
    """Whether the account's sums are up to date (`rollup`), so that figures may be read from them."""

    @property
    def is_everything(self) -> bool:
        """Whether no campaign of the account is left out."""
        return (
            self.key_client_id is None and self.client_ids is None and self.campaign_ids is None and not self.has_client
        )

    @property
    def params(self) -> dict[str, Any]:
        """As parameters of a query."""
        return {
            "user_id": self.user_id,
            "key_client_id": self.key_client_id,
            "client_ids": None if self.client_ids is None else list(self.client_ids),
            "campaign_ids": None if self.campaign_ids is None else list(self.campaign_ids),
            "has_client": self.has_client,
        }


CAMPAIGN: LiteralString = """
        campaign AS (
            SELECT c.id, c.name, c.client_id
              FROM campaigns AS c
             WHERE c.user_id = %(user_id)s
               AND (%(key_client_id)s::bigint IS NULL OR c.client_id = %(key_client_id)s)
               AND (%(client_ids)s::bigint[] IS NULL OR c.client_id = ANY(%(client_ids)s))
               AND (%(campaign_ids)s::bigint[] IS NULL OR c.id = ANY(%(campaign_ids)s))
               AND (NOT %(has_client)s OR c.client_id IS NOT NULL)
        )
"""

# A lead is an address in a campaign: the same person in two campaigns is two leads. Its category is that of now.
MAIL: LiteralString = """
        mail AS NOT MATERIALIZED (
            SELECT m.id, m.campaign_id, campaign.client_id, lower(m.to_email) AS lead_email, m.mailbox_id, m.step_id,
                   m.variant_id, m.step_number, lower(m.from_email) AS from_email, m.is_open_tracked, m.sent_at,
                   m.first_opened_at AS opened_at, m.first_clicked_at AS clicked_at, m.first_replied_at AS replied_at,
                   CASE WHEN m.bounce_kind IN ('HARD', 'SOFT') THEN m.bounced_at END AS bounced_at,
                   CASE WHEN m.bounce_kind = 'SENDER' THEN m.bounced_at END AS sender_bounced_at, m.unsubscribed_at,
                   m.open_count, m.click_count, m.machine_open_count, m.machine_click_count,
                   k.id AS category_id, k.name AS category, k.sentiment_type,
                   cl.id AS campaign_lead_id, cl.status AS lead_status, cl.last_step_id AS lead_step_id,
                   cl.team_member_id
              FROM campaign
              JOIN messages AS m ON m.campaign_id = campaign.id
              JOIN steps AS s ON s.id = m.step_id AND NOT s.is_analytics_dropped
              LEFT JOIN campaign_leads AS cl ON cl.campaign_id = m.campaign_id AND cl.lead_id = m.lead_id
              LEFT JOIN categories AS k ON k.id = cl.category_id
             WHERE m.user_id = %(user_id)s
               AND m.sent_at IS NOT NULL
        )
"""

IN_WINDOW: LiteralString = """
               sent_at >= coalesce(%(window_start)s::timestamptz, '-infinity')
               AND sent_at < coalesce(%(window_end)s::timestamptz, 'infinity')
"""
