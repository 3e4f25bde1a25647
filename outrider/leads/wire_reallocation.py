"""The contract's spelling of a lead's new mailbox (contract: campaigns, Update lead email account)."""

from pydantic import AliasChoices, Field

from outrider.kit.validation import Flag, Id, Wire


class MailboxChoice(Wire):
    email_account_id: Id
    email_campaign_id: Id = Field(validation_alias=AliasChoices("email_campaign_id", "campaign_id"))
    email_lead_id: Id = Field(validation_alias=AliasChoices("email_lead_id", "lead_id"))
    override_lead_email_account: Flag = False
