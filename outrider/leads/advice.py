"""What to do about a reason not to send, by its code: one sentence for a salesperson.

The reasons themselves are gates of the engine, ends of a lead's way, and waits. A test finds every code there is.
"""

_NOTHING = "Nothing: it goes on by itself."
_NOT_MAILED = "Nothing: this person is not mailed any more."

ADVICE = {
    # the campaign
    "CAMPAIGN_NOT_ACTIVE": "Start the campaign.",
    "BOUNCE_LIMIT": "Check the addresses of the list, remove the bad ones, then start the campaign again.",
    "NO_STEPS": "Write at least one step with a text.",
    "NO_MAILBOX": "Attach a mailbox to the campaign.",
    "BEFORE_START": "Wait for the start time, or change it in the schedule.",
    "NO_SCHEDULE": "Set days and hours.",
    "OUTSIDE_WINDOW": "Wait for the sending hours, or widen them in the schedule.",
    "NEW_LEAD_CAP": "Wait for tomorrow, or raise the number of new leads a day. Follow-ups go on.",
    "NO_LEADS": "Add leads.",
    "NOTHING_DUE": "Nothing: everything that was due went out. More leads would fill the day.",
    "IN_QUEUE": _NOTHING,
    "NO_ENGINE": "Start the engine: `outrider serve`. The log says why it ended.",
    # the mailbox
    "MAILBOX_DISCONNECTED": "Correct the log-in of the mailbox and test it, or give its leads to another mailbox.",
    "MAILBOX_SUSPENDED": "Unsuspend the mailbox, or give its leads to another one.",
    "DAILY_CAP": "Wait for tomorrow (UTC), raise the daily limit, or attach more mailboxes.",
    "ROLLING_CAP": "Wait: the limit also holds for any 24 hours. Attach more mailboxes to send more.",
    "GAP": "Nothing: the mailbox paces itself. A shorter pause or more mailboxes send faster.",
    "BACKOFF": "Wait: the mail server of the mailbox asked for it. If it goes on, ask the provider.",
    "DOMAIN_LIMIT": "Nothing: mailboxes of one domain take turns. Switch the limit off in the campaign to send faster.",
    "IN_FLIGHT": _NOTHING,
    # the lead
    "NOT_DUE": _NOTHING,
    "PUT_OFF": "Nothing: it is tried again for a day, then it counts as bounced.",
    "LEAD_NOT_ACTIVE": "See the status of the lead.",
    "UNSUBSCRIBED": _NOT_MAILED,
    "BLOCK_LIST": "Take the entry off the block list if it is a mistake.",
    "BLOCKLISTED": "Take the entry off the block list if it is a mistake, then resume the lead.",
    "TEMPLATE": "Correct the text of the step; it is tried again every hour.",
    "EMPTY_BODY": "Give the step a text, or the lead the fields that it is made of; it is tried again every hour.",
    "MISSING_VARIABLE": "Fill in the fields of the lead that are named, or give the text a fallback for them.",
    "EMPTY_SUBJECT": "Give the first step a subject, or the lead the fields of it; it is tried again every hour.",
    "UNFORESEEN": "Tell the operator: the log of the engine has the details. It is tried again every hour.",
    "OUTSIDE_LEAD_HOURS": "Wait: where the lead is nobody works now. The field `timezone` of a lead says where it is.",
    "RECIPIENT_DOMAIN": "Nothing: the next one of this company follows soon. The operator can change the limit.",
    "PROVIDER_LOOKUP": "Nothing: it takes a minute. Without pairing by provider nothing is looked up.",
    "OTHER_PROVIDER": "Wait, attach more mailboxes of that provider, or switch strict pairing off.",
    "MANUAL_STEP": "Do the step, then mark it as done.",
    "PAUSED": "Resume the lead.",
    "STOPPED": "Resume the lead if it should go on.",
    "BLOCKED": "Look at the block list and the bounces of the address.",
    "MANUAL": "Resume the lead if it should go on.",
    "COMPLETED_BY_HAND": "Resume the lead if it should go on.",
    "REPLIED": "Answer it. Resume the lead if the sequence should go on all the same.",
    "OPENED": "Resume the lead if it should go on, or change the rule that stops leads.",
    "CLICKED": "Resume the lead if it should go on, or change the rule that stops leads.",
    "OOO": "Wait for the return, or resume the lead by hand.",
    "DOMAIN_REPLY": "Look at the answer of the colleague, then resume the lead or stop it.",
    "MAILBOX_GONE": "Give the lead another mailbox of the campaign.",
    "BOUNCED": "Find another address of this person.",
    "SUBSEQUENCE": "Nothing: it gets the mails of the subsequence.",
    "SENDER_BOUNCE": "Look at the health of the mailbox, then resume the lead, from another mailbox if need be.",
    "DO_NOT_CONTACT": _NOT_MAILED,
    "WRONG_PERSON": "Find the right person, and add that one.",
}
