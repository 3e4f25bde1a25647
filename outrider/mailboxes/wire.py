"""The contract's spellings of mailboxes: lenient bodies in, the account object out (contract: email-accounts)."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field

from outrider.kit.validation import Email, Flag, Id, Int, ListOf, Moment, StrictWire, Text, Wire, fault, reject
from outrider.mail.address import InvalidAddress, parse_address_list
from outrider.mailboxes.models import Mailbox, MailboxType, PortType, Verdict, Warmup, WarmupStatus
from outrider.mailboxes.warmup import WarmupChange

_LARGEST_NUMBER = 2**31 - 1
_LARGEST_MILLISECONDS = 4_102_444_800_000  # 2100


def _upper(given: Any) -> Any:
    return given.strip().upper() if isinstance(given, str) else given


def _addresses(value: str) -> str:
    """Nothing, or addresses separated by commas; kept as given."""
    try:
        parse_address_list(value)
    except InvalidAddress as error:
        raise fault("must be a valid email") from error
    return value


_Port = Annotated[Int, Field(ge=1, le=65535)]
_PortType = Annotated[PortType, BeforeValidator(_upper)]
_Count = Annotated[Int, Field(ge=0, le=_LARGEST_NUMBER)]
_Named = Annotated[Text, Field(min_length=1)]
_Addresses = Annotated[Text, AfterValidator(_addresses)]


class CredentialFields(Wire):
    user_name: _Named | None = Field(
        default=None, validation_alias=AliasChoices("user_name", "username", "smtp_username")
    )
    password: Annotated[str, Field(min_length=1)] | None = None
    smtp_host: _Named | None = None
    smtp_port: _Port | None = None
    smtp_port_type: _PortType | None = None
    imap_host: _Named | None = None
    imap_port: _Port | None = None
    imap_port_type: _PortType | None = None
    imap_user_name: Text | None = Field(default=None, validation_alias=AliasChoices("imap_user_name", "imap_username"))
    imap_password: str | None = None

    def credentials(self) -> dict[str, Any]:
        """What was given, by column."""
        return {column: value for name, column in _CREDENTIALS.items() if (value := getattr(self, name)) is not None}


_CREDENTIALS = {
    "user_name": "username",
    "password": "password",
    "smtp_host": "smtp_host",
    "smtp_port": "smtp_port",
    "smtp_port_type": "smtp_port_type",
    "imap_host": "imap_host",
    "imap_port": "imap_port",
    "imap_port_type": "imap_port_type",
    "imap_user_name": "imap_username",
    "imap_password": "imap_password",
}


class AccountFields(Wire):
    null_clears: ClassVar[bool] = False

    from_name: _Named | None = Field(default=None, validation_alias=AliasChoices("from_name", "name"))
    max_email_per_day: _Count | None = None
    time_to_wait_in_mins: _Count | None = None
    custom_tracking_url: Text | None = None
    bcc: _Addresses | None = None
    signature: str | None = None
    different_reply_to_address: _Addresses | None = None
    client_id: Annotated[Int, Field(ge=0)] | None = None
    is_suspended: Flag = False

    def changes(self) -> dict[str, Any]:
        """What is to be changed, by column; "" and the client 0 stand for nothing."""
        changes: dict[str, Any] = {}
        for name, column in _COLUMNS.items():
            value = getattr(self, name)
            if name not in self.model_fields_set or (value is None and not self._clears(name)):
                continue
            changes[column] = None if value == "" or (name == "client_id" and not value) else value
        return changes

    def _clears(self, name: str) -> bool:
        return self.null_clears and name in _CLEARED_BY_NULL


_COLUMNS = {
    "from_name": "from_name",
    "max_email_per_day": "max_email_per_day",
    "time_to_wait_in_mins": "time_to_wait_minutes",
    "custom_tracking_url": "custom_tracking_domain",
    "bcc": "bcc_email",
    "signature": "signature",
    "different_reply_to_address": "different_reply_to_address",
    "client_id": "client_id",
    "is_suspended": "is_suspended",
}
_CLEARED_BY_NULL = frozenset(_COLUMNS) - {"from_name", "max_email_per_day", "is_suspended"}


class WarmupFields(Wire):
    warmup_enabled: Flag | None = None
    total_warmup_per_day: Annotated[Int, Field(ge=1, le=50)] | None = None
    daily_rampup: Annotated[Int, Field(ge=0, le=50)] | None = Field(
        default=None, validation_alias=AliasChoices("daily_rampup", "daily_ramp_up", "rampup_value")
    )
    reply_rate_percentage: Annotated[Int, Field(ge=0, le=100)] | None = Field(
        default=None, validation_alias=AliasChoices("reply_rate_percentage", "reply_rate")
    )
    is_rampup_enabled: Flag | None = None
    warmup_min_count: Annotated[Int, Field(ge=1, le=50)] | None = None
    warmup_max_count: Annotated[Int, Field(ge=1, le=50)] | None = None
    auto_adjust_warmup: Flag | None = None
    send_warmups_only_on_weekdays: Flag | None = None
    use_custom_domain: Flag | None = None
    warmup_key_id: Text | None = None

    def warmup(self) -> WarmupChange:
        return WarmupChange(
            is_enabled=self.warmup_enabled,
            total_per_day=self.total_warmup_per_day,
            rampup_value=self.daily_rampup,
            reply_rate=self.reply_rate_percentage,
            is_rampup_enabled=self.is_rampup_enabled,
            min_count=self.warmup_min_count,
            max_count=self.warmup_max_count,
            auto_adjust=self.auto_adjust_warmup,
            only_on_weekdays=self.send_warmups_only_on_weekdays,
            use_custom_domain=self.use_custom_domain,
            key=self.warmup_key_id or None,
        )


class OAuthToken(Wire):
    """As the providers' libraries give it; `expiry_date` is in milliseconds since 1970."""

    tolerates = frozenset({"scope", "token_type", "id_token"})

    access_token: _Named
    refresh_token: Text | None = None
    expiry_date: Int | None = None
    expiry: Moment | None = None
    expires_in: Int | None = None
    ext_expires_in: Int | None = None

    def expires_at(self, now: datetime) -> datetime:
        if self.expiry_date is not None and 0 < self.expiry_date < _LARGEST_MILLISECONDS:
            return datetime.fromtimestamp(self.expiry_date / 1000, UTC)
        seconds = self.expires_in or self.ext_expires_in
        if self.expiry is not None:
            return self.expiry
        if seconds is None or not 0 < seconds < _LARGEST_NUMBER:
            reject('"token.expiry_date" is required', key="token.expiry_date")
        return now + timedelta(seconds=seconds)


class AccountSave(AccountFields, CredentialFields, WarmupFields):
    """Without an id a new account, with one a change of it; null leaves a field as it is."""

    id: Annotated[Int, Field(ge=0)] | None = None
    from_email: Email | None = Field(default=None, validation_alias=AliasChoices("from_email", "email"))
    type: Annotated[MailboxType, BeforeValidator(_upper)] | None = None
    token: OAuthToken | None = None
    use_whitelabel_credentials: Flag | None = None

    def check_completeness(self) -> None:
        """What a new account needs; the user name is the address unless it is given."""
        for name in _REQUIRED:
            if getattr(self, name) is None:
                reject(f'"{name}" is required', key=name)

    def new_credentials(self) -> dict[str, Any]:
        return {"username": self.from_email, **self.credentials()}

    def changes(self) -> dict[str, Any]:
        own = {"from_email": self.from_email, "type": self.type}
        return {**super().changes(), **{name: value for name, value in own.items() if value is not None}}


class OAuthSave(AccountSave):
    """With a token; one SDK sends it flat."""

    provider: Annotated[MailboxType, BeforeValidator(_upper)] | None = None
    oauth_token: Text | None = None
    refresh_token: Text | None = None
    expiry_date: Int | None = None
    expires_in: Int | None = None

    def found_token(self) -> OAuthToken:
        if self.token is not None:
            return self.token
        if not self.oauth_token:
            reject('"token" is required', key="token")
        return OAuthToken(
            access_token=self.oauth_token,
            refresh_token=self.refresh_token,
            expiry_date=self.expiry_date,
            expires_in=self.expires_in or _USUAL_SECONDS,
        )


_USUAL_SECONDS = 3600
_REQUIRED = ("from_name", "from_email", "password", "smtp_host", "smtp_port", "imap_host", "imap_port")


class AccountUpdate(AccountFields, CredentialFields, WarmupFields, StrictWire):
    """null clears texts, client and waiting time; unknown names are refused, the names of reading too."""

    null_clears = True

    from_name: _Named | None = None


class WarmupUpdate(WarmupFields):
    """Warmup by itself: here the web app's own names are free to use."""

    warmup_enabled: Flag | None = None
    total_warmup_per_day: Annotated[Int, Field(ge=1, le=50)] | None = Field(
        default=None, validation_alias=AliasChoices("total_warmup_per_day", "max_email_per_day")
    )
    status: Annotated[WarmupStatus, BeforeValidator(_upper)] | None = None

    def warmup(self) -> WarmupChange:
        """A ramp of null is none; `status` says what `warmup_enabled` does not."""
        change = super().warmup()
        if change.rampup_value is None and "daily_rampup" in self.model_fields_set:
            change = replace(change, rampup_value=0)
        if change.is_enabled is None and self.status is not None:
            change = replace(change, is_enabled=self.status is WarmupStatus.ACTIVE)
        return change


class ConnectionTest(CredentialFields):
    """Credentials that are tried and not kept."""

    from_email: Email | None = Field(default=None, validation_alias=AliasChoices("from_email", "email"))

    def complete_credentials(self) -> dict[str, Any]:
        if self.user_name is None and self.from_email is None:
            reject('"user_name" is required', key="user_name")
        for name in ("password", "smtp_host", "smtp_port", "imap_host", "imap_port"):
            if getattr(self, name) is None:
                reject(f'"{name}" is required', key=name)
        return {"username": self.from_email, **self.credentials()}


class AccountQuery(Wire):
    fetch_campaigns: Flag = False
    fetch_tags: Flag = False


class AccountListQuery(Wire):
    offset: Annotated[Int, Field(ge=0)] = 0
    limit: Annotated[Int, Field(ge=1, le=100)] = 100
    username: Text | None = None
    client_id: Int | None = None
    is_in_use: Flag | None = Field(default=None, validation_alias=AliasChoices("isInUse"))
    email_warmup_status: Annotated[WarmupStatus, BeforeValidator(_upper)] | None = Field(
        default=None, validation_alias=AliasChoices("emailWarmupStatus")
    )
    is_smtp_success: Flag | None = Field(default=None, validation_alias=AliasChoices("isSmtpSuccess"))
    is_warmup_blocked: Flag | None = Field(default=None, validation_alias=AliasChoices("isWarmupBlocked"))
    esp: Annotated[MailboxType, BeforeValidator(_upper)] | None = None
    fetch_campaigns: Flag = False


class AccountIds(Wire):
    ids: Annotated[ListOf[Id], Field(min_length=1)] = Field(validation_alias=AliasChoices("ids", "email_account_ids"))


class ReconnectBody(Wire):
    email_account_ids: ListOf[Id] | None = None


# answers -------------------------------------------------------------------------------------------------------------

# No warmup mail has been placed yet, so the share of the inbox is that of "below ten" (contract: warmup_reputation).
_UNPLACED_REPUTATION = 100
_WARMUP_DAYS = 8
_SERVER_FIELDS = ("smtp_host", "smtp_port", "smtp_port_type", "imap_host", "imap_port", "imap_port_type")
"""The provider's, for a mailbox with a token: null on the wire."""


def account(
    row: Mapping[str, Any],
    warmup: Warmup | None,
    *,
    now: datetime,
    is_listed: bool,
    with_campaigns: bool = False,
    with_tags: bool = False,
) -> dict[str, Any]:
    """The account object: lists always have tags and write the reputation with a percent sign."""
    shown: dict[str, Any] = {
        "id": row["id"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "user_id": row["user_id"],
        "from_name": row["from_name"],
        "from_email": row["from_email"],
        "username": row["username"],
        "password": None,
        "smtp_host": row["smtp_host"],
        "smtp_port": row["smtp_port"],
        "smtp_port_type": row["smtp_port_type"],
        "message_per_day": row["max_email_per_day"],
        "different_reply_to_address": row["different_reply_to_address"] or "",
        "is_different_imap_account": row["is_different_imap_account"],
        "imap_username": (row["imap_username"] or row["username"]) if row["is_different_imap_account"] else "",
        "imap_password": None,
        "imap_host": row["imap_host"],
        "imap_port": row["imap_port"],
        "imap_port_type": row["imap_port_type"],
        "signature": row["signature"],
        "custom_tracking_domain": row["custom_tracking_domain"],
        "custom_tracking_domain_status": _tracking_domain(row),
        "bcc_email": row["bcc_email"],
        "is_smtp_success": row["is_smtp_success"],
        "is_imap_success": row["is_imap_success"],
        "smtp_failure_error": row["smtp_failure_error"],
        "imap_failure_error": row["imap_failure_error"],
        "type": row["type"],
        "daily_sent_count": row["daily_sent_count"],
        "client_id": row["client_id"],
        "expires_at": row["token_expires_at"],
        "minTimeToWaitInMins": row["time_to_wait_minutes"],
        "campaign_count": len(row["campaign_ids"]),
        "is_connected_to_campaign": bool(row["campaign_ids"]),
        "is_suspended": row["is_suspended"],
        "use_whitelabel_credentials": row["use_whitelabel_credentials"],
        "warmup_details": _warmup(warmup, row["warmup_key"], now=now, is_listed=is_listed) if warmup else None,
    }
    if with_campaigns:
        shown["campaign_ids"] = row["campaign_ids"]
    if row["is_oauth"]:
        shown.update(dict.fromkeys(_SERVER_FIELDS))
    if is_listed or with_tags:
        shown["tags"] = [tag(each) for each in row["tags"]]
    return shown


def tracking_domain(mailbox: Mailbox) -> dict[str, Any]:
    return {
        "id": mailbox.id,
        "custom_tracking_domain": mailbox.custom_tracking_domain,
        "custom_tracking_domain_status": _tracking_domain(asdict(mailbox)),
    }


def _tracking_domain(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Whether the mailbox's own tracking host is used, and if not why; ours. Until it is, the shared host is."""
    if not row["custom_tracking_domain"]:
        return None
    return {
        "is_verified": row["is_tracking_domain_valid"],
        "checked_at": row["tracking_domain_checked_at"],
        "error": row["tracking_domain_error"],
    }


def tag(row: Mapping[str, Any]) -> dict[str, Any]:
    """Both spellings that are in use."""
    return {
        "id": row["id"],
        "name": row["name"],
        "color": row["color"],
        "tag_id": row["id"],
        "tag_name": row["name"],
        "tag_color": row["color"],
    }


def _warmup(warmup: Warmup, key: str, *, now: datetime, is_listed: bool) -> dict[str, Any]:
    return {
        "id": warmup.id,
        "status": warmup.status,
        "created_at": warmup.created_at,
        "warmup_created_at": warmup.created_at,
        "reply_rate": warmup.reply_rate,
        "warmup_key_id": key,
        "blocked_reason": warmup.blocked_reason,
        "total_sent_count": 0,
        "total_spam_count": 0,
        "warmup_min_count": warmup.warmup_min_count,
        "warmup_max_count": warmup.warmup_max_count,
        "is_warmup_blocked": warmup.is_warmup_blocked,
        "max_email_per_day": warmup.max_email_per_day,
        "warmup_reputation": f"{_UNPLACED_REPUTATION}%" if is_listed else _UNPLACED_REPUTATION,
        "is_rampup_enabled": warmup.is_rampup_enabled,
        "rampup_value": warmup.rampup_value,
        "auto_adjust_warmup": warmup.auto_adjust_warmup,
        "send_warmups_only_on_weekdays": warmup.send_warmups_only_on_weekdays,
        "use_custom_domain": warmup.use_custom_domain,
        "is_rampup_reached": warmup.is_ramp_over(now),
    }


def warmup_stats(mailbox_id: int, *, today: date) -> dict[str, Any]:
    """The seven days before today and today. No warmup mail has been sent yet, so all of it is zero."""
    days = [today - timedelta(days=back) for back in range(_WARMUP_DAYS - 1, -1, -1)]
    return {
        "id": mailbox_id,
        "sent_count": "0",
        "spam_count": "0",
        "inbox_count": "0",
        "warmup_email_received_count": "0",
        "stats_by_date": [
            {"id": number, "date": day, "sent_count": 0, "reply_count": 0, "save_from_spam_count": 0}
            for number, day in enumerate(days, start=1)
        ],
        "total_sent": 0,
        "reputation_score": _UNPLACED_REPUTATION,
        "daily_stats": [{"date": day, "sent": 0, "spam": 0, "delivered": 0, "opened": 0, "replied": 0} for day in days],
    }


def saved(mailbox: Mailbox, warmup: Warmup | None) -> dict[str, Any]:
    warmup_details = (
        {"status": warmup.status, "total_warmup_per_day": warmup.max_email_per_day} if warmup is not None else None
    )
    return {
        "ok": True,
        "message": "Email account added/updated successfully!",
        "emailAccountId": mailbox.id,
        "warmupKey": mailbox.warmup_key,
        "data": {
            "id": mailbox.id,
            "from_email": mailbox.from_email,
            "type": mailbox.type,
            "is_smtp_success": mailbox.is_smtp_success,
            "is_imap_success": mailbox.is_imap_success,
            "warmup_details": warmup_details,
        },
        "email_account": {"id": mailbox.id},
    }


def saved_by_token(mailbox: Mailbox) -> dict[str, Any]:
    return {
        "ok": True,
        "message": "OAuth account added successfully",
        "emailAccountId": mailbox.id,
        "warmupKey": mailbox.warmup_key,
        "data": {
            "id": mailbox.id,
            "from_email": mailbox.from_email,
            "type": mailbox.type,
            "is_smtp_success": mailbox.is_smtp_success,
            "is_imap_success": mailbox.is_imap_success,
        },
    }


def tested(verdict: Verdict, mailbox_id: int | None) -> dict[str, Any]:
    return {
        "ok": verdict.is_success,
        "success": verdict.is_success,
        "message": "Connection verified",
        "smtp_status": "CONNECTED" if verdict.is_smtp_success else "FAILED",
        "imap_status": "CONNECTED" if verdict.is_imap_success else "FAILED",
        "data": {
            "id": mailbox_id,
            "is_smtp_success": verdict.is_smtp_success,
            "is_imap_success": verdict.is_imap_success,
            "smtp_failure_error": verdict.smtp_error,
            "imap_failure_error": verdict.imap_error,
        },
    }
