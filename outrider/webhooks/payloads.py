"""What receivers are told, per event: from facts to the exact keys of the contract (webhooks §5, §6).

Without what belongs to the webhook: `addressed` adds that when a delivery is sent.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from outrider.content.text import to_text
from outrider.kit.replies import written
from outrider.mail.text import html_to_text, text_to_html
from outrider.webhooks.correspondence import correspondence
from outrider.webhooks.facts import (
    CampaignFacts,
    CategoryFacts,
    LeadFacts,
    Letter,
    MailboxFacts,
    MailFacts,
    PersonFacts,
    StepFacts,
)
from outrider.webhooks.happenings import (
    Bounced,
    CategoryUpdated,
    Clicked,
    Disconnected,
    ManualStepReached,
    Opened,
    Replied,
    Sent,
    StatusChanged,
    Unsubscribed,
    UntrackedReplyReceived,
)
from outrider.webhooks.policy import Policy
from outrider.webhooks.received import Received
from outrider.webhooks.spelling import identifier, offset_time

Payload = dict[str, Any]

_PREVIEW_LENGTH = 500
_REPORT_LENGTH = 200
_BOUNCE_TYPES = {"HARD": "hard", "SOFT": "soft", "SENDER": "block"}


def sent(_happened: Sent, mail: MailFacts, policy: Policy) -> Payload:
    """EMAIL_SENT and FIRST_EMAIL_SENT"""
    return {
        **_sending(mail, mail.sent_at, policy),
        "description": f"Email {mail.step_number} sent to {mail.lead_email} for campaign - {mail.campaign_name}",
    }


def opened(happened: Opened, mail: MailFacts, policy: Policy) -> Payload:
    """EMAIL_OPEN"""
    return {
        **_mail(mail, happened.at, policy),
        "time_opened": offset_time(happened.at),
        "description": f"{mail.lead_email} opened Email {mail.step_number} for campaign - {mail.campaign_name}",
    }


def clicked(happened: Clicked, mail: MailFacts, policy: Policy) -> Payload:
    """EMAIL_LINK_CLICK"""
    return {
        **_mail(mail, happened.at, policy),
        "time_clicked": offset_time(happened.at),
        "link_clicked": [happened.url],
        "link_details": [happened.url],
        "description": (
            f"{mail.lead_email} clicked a link in Email {mail.step_number} for campaign - {mail.campaign_name}"
        ),
    }


def replied(_happened: Replied, mail: MailFacts, reply: Received, own: Collection[str], policy: Policy) -> Payload:
    """Capturing Email Replies

    EMAIL_REPLY: the mail that was answered, the answer, and who gave it. `own` are our mailboxes among the addresses
    of the reply. `reply_category` is added when it is sent.
    """
    new_text = reply.new_text
    message = reply.message(new_text)
    return {
        **_mail(mail, reply.letter.at, policy),
        "reply_source": "MANUAL" if mail.kind == "MANUAL" else "CAMPAIGN",
        "cc_emails": [address for address in reply.letter.cc if address.lower() != mail.from_email.lower()],
        "time_replied": message["time"],
        "reply_message": message,
        "reply_body": message["html"],
        "message_id": message["message_id"],
        "preview_text": new_text[:_PREVIEW_LENGTH],
        "leadCorrespondence": correspondence(mail.lead_email, reply.reply, own, policy),
        # the blank at the end is the original's
        "description": f"{mail.lead_email} replied to Email {mail.step_number} for campaign - {mail.campaign_name} ",
    }


def bounced(happened: Bounced, mail: MailFacts, report: Letter | None, policy: Policy) -> Payload:
    """EMAIL_BOUNCE; its times are those of sending, the bounce's own is in `bounce_message`."""
    said = _report_text(report) if report else mail.reply_text or mail.bounce_reason or ""
    shown = escape(said[:_REPORT_LENGTH], quote=False)
    report_id = identifier(report.message_id) if report else None
    at = report.at if report else mail.bounced_at or happened.at
    return {
        **_sending(mail, mail.sent_at, policy),
        "is_bounced": True,
        "is_sender_originated_bounce": mail.bounce_kind == "SENDER",
        "bounce_reply_message_id": report_id,
        "bounce_reply_email": shown,
        "bounce_reply_email_preview": shown,
        "bounce_message": {"message_id": report_id, "html": shown, "text": shown, "time": written(at)},
        "bounce_type": _BOUNCE_TYPES.get(mail.bounce_kind or "", "soft"),
        "bounce_reason": mail.bounce_reason or said[:_REPORT_LENGTH],
        "description": (
            f"Email {mail.step_number} sent to {mail.lead_email} got bounced for campaign - {mail.campaign_name}"
        ),
    }


def unsubscribed(happened: Unsubscribed, person: PersonFacts, mail: MailFacts | None, policy: Policy) -> Payload:
    """LEAD_UNSUBSCRIBED; `mail` is the one that led to it, or the last one."""
    payload = {
        **_lead(person, happened.at, policy),
        "event_timestamp": written(happened.at),
        "lead_email": person.lead_email,
        "lead_name": person.full_name,
        "to_email": person.lead_email,
        "to_name": person.full_name,
        "from_email": mail.from_email if mail else person.from_email,
        "sent_message": _sent_message(mail) if mail else {"message_id": None, "text": ""},
        "unsubscribed_client_id_map": {str(client_id): True for client_id in person.unsubscribed_client_ids},
        "description": f"Lead - {person.lead_email} unsubscribed from the campaign - {person.campaign_name}",
    }
    if mail:
        payload |= {"stats_id": str(mail.stats_id), "sequence_number": mail.step_number}
    return payload


def category_updated(
    happened: CategoryUpdated,
    person: PersonFacts,
    thread: Sequence[Letter],
    categories: Mapping[int, CategoryFacts],
    policy: Policy,
) -> Payload:
    """LEAD_CATEGORY_UPDATED"""
    old, new = categories.get(happened.old_id or 0), categories.get(happened.new_id or 0)
    history = [_history_item(letter) for letter in thread]
    last_reply = next((item for item in reversed(history) if item["type"] == "REPLY"), None)
    last_sent = next((item for item in reversed(history) if item["type"] == "SENT"), None)
    payload = {
        **_lead(person, happened.at, policy),
        "lead_id": person.lead_id,
        "lead_email": person.lead_email,
        "lead_name": person.first_name or "",
        "to": person.lead_email,
        "to_email": person.lead_email,
        "to_name": person.full_name,
        "from": person.from_email,
        "from_email": person.from_email,
        "lead_data": _lead_data(person, new),
        "category": new.name if new else None,
        "lead_category_id": happened.new_id,
        "lead_category": {
            "old_id": happened.old_id,
            "old_name": old.name if old else None,
            "new_id": happened.new_id,
            "new_name": new.name if new else None,
        },
        "current_sequence": person.last_step_number,
        "sequence_number": person.last_step_number,
        "history": history,
        "lastReply": last_reply,
        "last_reply": last_reply,
        "description": (
            f"Lead - {person.lead_email} category updated to {new.name if new else 'no category'}"
            f" for campaign - {person.campaign_name}"
        ),
    }
    if last_sent:
        payload["stats_id"] = last_sent["stats_id"]
    return payload


def status_changed(happened: StatusChanged, campaign: CampaignFacts, policy: Policy) -> Payload:
    """CAMPAIGN_STATUS_CHANGED"""
    link = f"{policy.public_url}/app/email-campaign/{campaign.campaign_id}/analytics"
    payload = {
        "campaign_id": campaign.campaign_id,
        "campaign_name": campaign.campaign_name,
        "client_id": campaign.client_id,
        "campaign_status": happened.current,
        "previous_status": happened.previous,
        "current_status": happened.current,
        "event_timestamp": offset_time(happened.at, always_milliseconds=True),
        "app_url": link,
        "ui_master_inbox_link": link,
        "description": (
            f"Campaign - {campaign.campaign_name} status changed from {happened.previous} to {happened.current}"
        ),
    }
    if happened.bounce_rate is not None:
        payload |= {"bounce_rate": happened.bounce_rate, "bounce_autopause_threshold": happened.threshold}
    return payload


def untracked_reply(
    _happened: UntrackedReplyReceived, mailbox: MailboxFacts, reply: Received, policy: Policy
) -> Payload:
    """UNTRACKED_REPLIES; `from_email` and `to_email` are the other way round than in all other events."""
    new_text = reply.new_text
    message = reply.message(new_text)
    sender = reply.letter.from_email
    return {
        "sender_detail": reply.sender_detail,
        "from_email": sender,
        "to_email": mailbox.from_email,
        "email_account_id": mailbox.id,
        "email_account": mailbox.from_email,
        "subject": reply.letter.subject or "",
        "visible_text": new_text.rstrip("\n"),
        "cc_emails": [address for address in reply.letter.cc if address.lower() != mailbox.from_email.lower()],
        "reply_message": message,
        "reply_body": message["html"],
        "preview_text": new_text[:_PREVIEW_LENGTH],
        "message_id": message["message_id"],
        "time_replied": message["time"],
        "event_timestamp": message["time"],
        "campaign_id": None,
        "campaign_name": None,
        "client_id": mailbox.client_id,
        **_inbox_links(None, policy),
        "description": f"Untracked reply received from {sender} on {mailbox.from_email}",
    }


def manual_step_reached(
    happened: ManualStepReached,
    person: PersonFacts,
    step: StepFacts,
    category: CategoryFacts | None,
    policy: Policy,
) -> Payload:
    """MANUAL_STEP_REACHED"""
    payload = {
        **_lead(person, happened.at, policy),
        "from_email": person.from_email,
        "to_email": person.lead_email,
        "to_name": person.full_name,
        "time_reached": offset_time(happened.at),
        "sequence_number": happened.step_number,
        "step_number": happened.step_number,
        "step_type": step.type,
        "email_campaign_seq_id": step.id,
        "task_id": None,  # there are no tasks as yet
        "lead_data": _lead_data(person, category),
        "description": (
            f"{person.lead_email} reached manual step {happened.step_number} for campaign - {person.campaign_name}"
        ),
    }
    return payload | ({"subject": step.subject} if step.subject else {})


def disconnected(happened: Disconnected, mailbox: MailboxFacts, _policy: Policy) -> Payload:
    """EMAIL_ACCOUNT_DISCONNECTED"""
    return {
        "email_account_id": mailbox.id,
        "from_email": mailbox.from_email,
        "from_name": mailbox.from_name,
        "type": mailbox.type,
        "is_smtp_success": mailbox.is_smtp_success,
        "is_imap_success": mailbox.is_imap_success,
        "smtp_failure_error": mailbox.smtp_failure_error,
        "imap_failure_error": mailbox.imap_failure_error,
        "client_id": mailbox.client_id,
        "event_timestamp": offset_time(happened.at),
        "description": f"Email account {mailbox.from_email} got disconnected",
    }


def addressed(
    payload: Mapping[str, Any],
    *,
    event_type: str,
    webhook_id: int,
    name: str,
    url: str,
    secret_key: str,
    created_at: datetime,
) -> Payload:
    """The payload for one webhook, as it is now."""
    return {
        **payload,
        "secret_key": secret_key,
        "metadata": {"webhook_created_at": written(created_at)},
        "webhook_url": url,
        "webhook_id": webhook_id,
        "webhook_name": name,
        "event_type": event_type,
    }


def _inbox_links(campaign_lead_id: int | None, policy: Policy) -> Payload:
    link = f"{policy.public_url}/app/master-inbox?leadMap={campaign_lead_id or ''}"
    return {"app_url": link, "ui_master_inbox_link": link}


def _lead(lead: LeadFacts, at: datetime, policy: Policy) -> Payload:
    """What all events with a lead have in common."""
    return {
        "sl_email_lead_id": str(lead.lead_id),
        "sl_email_lead_map_id": lead.campaign_lead_id,
        "sl_lead_email": lead.lead_email,
        "campaign_id": lead.campaign_id,
        "campaign_name": lead.campaign_name,
        "campaign_status": lead.campaign_status,
        "client_id": lead.client_id,
        "event_timestamp": offset_time(at),
        **_inbox_links(lead.campaign_lead_id, policy),
    }


def _mail(mail: MailFacts, at: datetime, policy: Policy) -> Payload:
    """What all events with a mail that was sent have in common."""
    message = _sent_message(mail)
    return {
        **_lead(mail, at, policy),
        "stats_id": str(mail.stats_id),
        "from_email": mail.from_email,
        "to_email": mail.lead_email,
        "to_name": mail.full_name,
        "sequence_number": mail.step_number,
        "subject": mail.subject,
        "sent_message_body": message["html"],
        "sent_message": message,
    }


def _sending(mail: MailFacts, at: datetime, policy: Policy) -> Payload:
    """What EMAIL_SENT and EMAIL_BOUNCE have besides."""
    payload = _mail(mail, at, policy)
    return payload | {
        "time_sent": payload["event_timestamp"],
        "custom_subject": mail.subject,
        "custom_email_message": payload["sent_message_body"],
        "message_id": payload["sent_message"]["message_id"],
    }


def _sent_message(mail: MailFacts) -> Payload:
    html = text_to_html(mail.text or "") if mail.html is None else mail.html
    return {
        "message_id": identifier(mail.message_id),
        "html": html,
        "text": to_text(html) if mail.text is None else mail.text,
        "time": offset_time(mail.sent_at),
    }


def _history_item(letter: Letter) -> Payload:
    is_sent = letter.direction == "OUT"
    return {
        "stats_id": str(letter.stats_id),
        "type": "SENT" if is_sent else "REPLY",
        "message_id": identifier(letter.message_id),
        "time": offset_time(letter.at),
        "email_body": text_to_html(letter.text or "") if letter.html is None else letter.html,
        **({"subject": letter.subject or ""} if is_sent else {}),
        "cc_emails": letter.cc,
    }


def _lead_data(person: PersonFacts, category: CategoryFacts | None) -> Payload:
    return {
        "email": person.lead_email,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "phone_number": person.phone_number,
        "company_name": person.company_name,
        "website": person.website,
        "location": person.location,
        "custom_fields": person.custom_fields,
        "linkedin_profile": person.linkedin_profile,
        "company_url": person.company_url,
        "category": {
            "name": category.name if category else None,
            "sentiment_type": category.sentiment_type if category else None,
        },
    }


def _report_text(report: Letter) -> str:
    text = report.text if report.text is not None else html_to_text(report.html or "")
    return text.strip()
