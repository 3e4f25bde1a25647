"""The contract's spellings of a campaign's settings, as they are sent (contract: Update Campaign General Settings)."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from outrider.campaigns.models import InvalidSetting, OnMissingVariable, StopRule, Untracked
from outrider.kit.validation import (
    Flag,
    Id,
    Int,
    ListOf,
    Text,
    TextOrNumber,
    Wire,
    decoded,
    fault,
    slots_of,
)

T = TypeVar("T")
W = TypeVar("W", bound=Wire)

_TRACK_WORDS: dict[str, Untracked | None] = {
    "DONT_TRACK_EMAIL_OPEN": Untracked.OPENS,
    "DONT_TRACK_LINK_CLICK": Untracked.CLICKS,
    "DONT_TRACK_REPLY_TO_AN_EMAIL": Untracked.REPLIES,
    **{word.value: word for word in Untracked},
    "TRACK_EMAIL_OPEN": None,
    "TRACK_LINK_CLICK": None,
    "TRACK_REPLY_TO_AN_EMAIL": None,
}
_STOP_WORDS: dict[str, StopRule] = {
    **{rule.value: rule for rule in StopRule},
    "OPENED_EMAIL": StopRule.OPEN,
    "CLICKED_LINK": StopRule.CLICK,
    "CLICK_ON_LINK": StopRule.CLICK,
}


class TrackFlags(Wire):
    """The object form of `track_settings`."""

    track_open: Flag = True
    track_click: Flag = True
    track_reply: Flag = True


class StopFlags(Wire):
    """The object form of `stop_lead_settings`."""

    stop_on_open: Flag = False
    stop_on_click: Flag = False
    stop_on_reply: Flag = False


def _percentage(value: str) -> str:
    """A percentage as text, as it was written."""
    if not value:
        return value
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise fault("must be a number") from error
    if not number.is_finite():
        raise fault("must be a number")
    if number < 0:
        raise fault("must be larger than or equal to 0")
    if number > 100:  # noqa: PLR2004 - per cent
        raise fault("must be less than or equal to 100")
    return value


def _lower(given: Any) -> Any:
    return given.strip().lower() if isinstance(given, str) else given


class OutOfOffice(Wire):
    """What happens with out-of-office answers; also accepted beside the other settings."""

    tolerates = frozenset({"enabled"})

    ignore_ooo_as_reply: Flag = Field(default=False, validation_alias=AliasChoices("ignoreOOOasReply"))
    auto_reactivate_ooo: Flag = Field(default=False, validation_alias=AliasChoices("autoReactivateOOO"))
    reactivate_ooo_with_delay: Annotated[Int, Field(ge=0)] | None = Field(
        default=None, validation_alias=AliasChoices("reactivateOOOwithDelay")
    )
    auto_categorize_ooo: Flag = Field(default=False, validation_alias=AliasChoices("autoCategorizeOOO"))

    def out_of_office(self) -> dict[str, Any]:
        """The keys that were given, in the words they are stored and shown in."""
        return {stored: getattr(self, name) for name, stored in _OUT_OF_OFFICE.items() if name in self.model_fields_set}


_OUT_OF_OFFICE = {
    "ignore_ooo_as_reply": "ignoreOOOasReply",
    "auto_reactivate_ooo": "autoReactivateOOO",
    "reactivate_ooo_with_delay": "reactivateOOOwithDelay",
    "auto_categorize_ooo": "autoCategorizeOOO",
}


class SettingsChange(OutOfOffice):
    """Every field is optional and null leaves it as it is, but for those whose null means something (see `changes`)."""

    tolerates = frozenset({"campaign_id", "id"})

    name: Text | None = None
    track_settings: Any = None
    stop_lead_settings: Any = None
    unsubscribe_text: str | None = None
    send_as_plain_text: Flag = False
    force_plain_text: Flag = False
    follow_up_percentage: Annotated[Int, Field(ge=0, le=100)] = 100
    client_id: Id | None = None
    enable_ai_esp_matching: Flag = Field(
        default=False, validation_alias=AliasChoices("enable_ai_esp_matching", "ai_esp_matching")
    )
    esp_matching_strict: Flag = False
    count_only_sending_days: Flag = False
    use_lead_timezone: Flag = False
    auto_pause_domain_leads_on_reply: Flag = False
    ignore_ss_mailbox_sending_limit: Flag = False
    bounce_autopause_threshold: Annotated[TextOrNumber, AfterValidator(_percentage)] | None = None
    domain_level_rate_limit: Flag = False
    out_of_office_detection_settings: OutOfOffice | None = None
    ai_categorisation_options: ListOf[TextOrNumber] | None = Field(
        default=None, validation_alias=AliasChoices("ai_categorisation_options", "ai_categorization_options")
    )
    add_unsubscribe_tag: Flag = False
    on_missing_variable: Annotated[OnMissingVariable, BeforeValidator(_lower)] = OnMissingVariable.BLANK

    def changes(self) -> dict[str, Any]:
        """What is to be changed, by column; raises InvalidSetting. Out-of-office keys are merged by the action."""
        given = self.model_fields_set
        changes = {name: getattr(self, name) for name in _AS_GIVEN if name in given}
        if self.name:
            changes["name"] = self.name
        if self.track_settings is not None:
            changes["track_settings"] = _untracked(self.track_settings)
        if self.stop_lead_settings is not None:
            changes["stop_lead_settings"] = _stop_rule(self.stop_lead_settings)
        if "bounce_autopause_threshold" in given and self.bounce_autopause_threshold != "":
            changes["bounce_autopause_threshold"] = self.bounce_autopause_threshold
        if self.ai_categorisation_options is not None:
            changes["ai_categorisation_options"] = self.ai_categorisation_options
        nested = self.out_of_office_detection_settings
        out_of_office = {**self.out_of_office(), **(nested.out_of_office() if nested else {})}
        return {**changes, "out_of_office_detection_settings": out_of_office} if out_of_office else changes


_AS_GIVEN = (
    "unsubscribe_text",  # null: no footer
    "send_as_plain_text",
    "force_plain_text",
    "follow_up_percentage",
    "client_id",  # null: detached
    "enable_ai_esp_matching",
    "esp_matching_strict",  # ours: no lead goes from another provider's mailbox while there is one of its own
    "count_only_sending_days",  # ours: a delay of two days from Friday ends on Tuesday
    "use_lead_timezone",  # ours: the sending hours are those where the lead is
    "auto_pause_domain_leads_on_reply",
    "ignore_ss_mailbox_sending_limit",
    "domain_level_rate_limit",
    "add_unsubscribe_tag",
    "on_missing_variable",
)


class SettingsBody(SettingsChange):
    """Some clients put the settings one level deeper, next to `name` and `status`."""

    tolerates = SettingsChange.tolerates | {"status"}

    settings: SettingsChange | None = None

    def changes(self) -> dict[str, Any]:
        return {**super().changes(), **(self.settings.changes() if self.settings else {})}


class CampaignCreate(SettingsChange):
    """A name and a client; settings are taken if they can be used and else left out (contract: Create Campaign)."""

    name: Text | None = Field(default=None, validation_alias=AliasChoices("name", "campaign_name"))

    @model_validator(mode="wrap")
    @classmethod
    def _without_unusable(cls, given: Any, handler: ModelWrapValidatorHandler["CampaignCreate"]) -> "CampaignCreate":
        try:
            return handler(given)
        except ValidationError as error:
            unusable = {str(each["loc"][0]) if each["loc"] else "" for each in error.errors()}
            if not isinstance(given, Mapping) or unusable & {"name", "client_id", ""}:
                raise
        slots = slots_of(cls)
        return handler(
            {key: value for key, value in given.items() if key not in slots or slots[key].name not in unusable}
        )

    def changes(self) -> dict[str, Any]:
        """The settings; name and client are the campaign's own."""
        usable = self
        for name, read in (("track_settings", _untracked), ("stop_lead_settings", _stop_rule)):
            try:
                read(getattr(self, name))
            except InvalidSetting:
                usable = usable.model_copy(update={name: None})
        changes = super(CampaignCreate, usable).changes()
        return {name: value for name, value in changes.items() if name not in {"name", "client_id"}}


def _untracked(given: Any) -> list[str]:
    """What is not to be tracked, in the words of reading: from a list, one word or an object of flags."""
    given = decoded(given) if isinstance(given, str) else given
    if isinstance(given, Mapping):
        flags = _flags("track_settings", TrackFlags, given)
        switches = (
            (flags.track_open, Untracked.OPENS),
            (flags.track_click, Untracked.CLICKS),
            (flags.track_reply, Untracked.REPLIES),
        )
        return [what.value for is_tracked, what in switches if not is_tracked]
    found = [_known("track_settings", word, _TRACK_WORDS) for word in (given if isinstance(given, list) else [given])]
    return list(dict.fromkeys(what.value for what in found if what is not None))


def _stop_rule(given: Any) -> StopRule:
    """One rule: from a word, the first of a list, or an object of flags, whose widest true one wins."""
    given = decoded(given) if isinstance(given, str) else given
    if isinstance(given, Mapping):
        flags = _flags("stop_lead_settings", StopFlags, given)
        if flags.stop_on_open:
            return StopRule.OPEN
        if flags.stop_on_click:
            return StopRule.CLICK
        return StopRule.REPLY if flags.stop_on_reply else StopRule.NEVER
    if isinstance(given, list):
        given = given[0] if given else None
    return _known("stop_lead_settings", given, _STOP_WORDS)


def _flags(name: str, form: type[W], given: Mapping[str, Any]) -> W:
    try:
        return form.model_validate(given)
    except ValidationError as error:
        raise InvalidSetting(name=name, value=_as_written(given)) from error


def _known(name: str, given: Any, words: Mapping[str, T]) -> T:
    word = given.strip() if isinstance(given, str) else given
    if not isinstance(word, str) or word not in words:
        raise InvalidSetting(name=name, value=_as_written(given))
    return words[word]


def _as_written(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
