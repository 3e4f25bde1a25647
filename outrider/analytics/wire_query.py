"""What the account's figures may be asked for: days, zone, clients, campaigns, pages (contract: analytics)."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, ValidationInfo

from outrider.analytics.mails import Scope
from outrider.analytics.windows import Days, Window, find_zone
from outrider.kit.validation import LARGEST_ID, Int, Text, Wire, fault

T = TypeVar("T")
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?", re.DOTALL)
_NUMBER = re.compile(r"[+-]?\d+")
_FIRST_YEAR, _LAST_YEAR = 2, 9998  # with room for the zones on both sides
_PAGE_SIZE = 100
_LAST_PAGE = 10**12
_MOST_DAYS = 3660
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def day_of(given: Any) -> date:
    """`2025-08-07`, `2025-8-7`, or the date of a date-time."""
    found = _DAY.fullmatch(str(given).strip())
    try:
        day = date(*map(int, found.groups())) if found else None
    except ValueError:
        day = None
    if day is None or not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise fault("must be in YYYY-MM-DD format")
    return day


def _not_before_start(day: date, about: ValidationInfo) -> date:
    start = about.data.get("start_date")
    if start and day < start:
        raise fault('must be larger than or equal to "ref:start_date"')
    return day


def _near_start(day: date, about: ValidationInfo) -> date:
    start = about.data.get("start_date")
    if start and day - start > timedelta(days=_MOST_DAYS):
        raise fault(f'must be within {_MOST_DAYS} days of "start_date"')
    return day


def _known_zone(name: str) -> str:
    if find_zone(name) is None:
        raise fault("must be a valid IANA timezone")
    return name


def _ids(given: Any) -> list[int] | None:
    """Numbers in whatever list; one that no id can have matches nothing. An empty list asks for nothing."""
    texts = given if isinstance(given, list) else [given]
    words = [word.strip(" \t\"'[]") for text in texts for word in str(text).split(",")]
    numbers = [word for word in words if word]
    if not all(_NUMBER.fullmatch(word) for word in numbers):
        raise fault("must be a comma-separated list of numbers")
    return [number for word in numbers if abs(number := int(word[:30])) <= LARGEST_ID] if numbers else None


StartDay = Annotated[date, BeforeValidator(day_of)]
EndDay = Annotated[date, BeforeValidator(day_of), AfterValidator(_not_before_start)]
ZoneName = Annotated[Text, AfterValidator(_known_zone)]
Ids = Annotated[list[int] | None, BeforeValidator(_ids)]
Format = Literal["json", "csv"]
_ZONES = AliasChoices("timezone", "time_zone")
_CLIENTS = AliasChoices("client_ids", "client_id")
_CAMPAIGNS = AliasChoices("campaign_ids", "campaign_id")


def yes_or_no(flag: str | None) -> bool | None:
    """What is neither asks for nothing."""
    return _FLAGS.get((flag or "").lower())


class ListQuery(Wire):
    """Of what there is now. `format=csv` gives the rows as a file, here and everywhere."""

    client_ids: Ids = Field(default=None, validation_alias=_CLIENTS)
    full_data: Text | None = None
    format: Format = "json"

    def scope(self, user_id: int, key_client_id: int | None) -> Scope:
        return Scope(user_id=user_id, key_client_id=key_client_id, client_ids=self.client_ids)


class OverviewQuery(Wire):
    """Of mails; without days all of them. Every column is there with and without `full_data`."""

    start_date: StartDay | None = None
    end_date: EndDay | None = None
    timezone: ZoneName = Field(default="UTC", validation_alias=_ZONES)
    client_ids: Ids = Field(default=None, validation_alias=_CLIENTS)
    campaign_ids: Ids = Field(default=None, validation_alias=_CAMPAIGNS)
    full_data: Text | None = None
    is_agency: Text | None = None
    format: Format = "json"

    @property
    def zone(self) -> tzinfo:
        return find_zone(self.timezone) or UTC

    def scope(self, user_id: int, key_client_id: int | None) -> Scope:
        return Scope(
            user_id=user_id,
            key_client_id=key_client_id,
            client_ids=self.client_ids,
            campaign_ids=self.campaign_ids,
            has_client=yes_or_no(self.is_agency) is True,
        )

    def days_from(self, first_sent_at: datetime | None, now: datetime) -> Days:
        """From the first mail to today, where nothing else is asked for."""
        today = now.astimezone(self.zone).date()
        start = self.start_date or (first_sent_at.astimezone(self.zone).date() if first_sent_at else today)
        end = self.end_date or max(start, today)
        return Days(min(start, end), end, self.zone)


class DatedQuery(OverviewQuery):
    start_date: StartDay
    end_date: EndDay

    @property
    def days(self) -> Days:
        return Days(self.start_date, self.end_date, self.zone)

    @property
    def window(self) -> Window:
        return self.days.window


class DaysQuery(DatedQuery):
    """Of a series with a row for each day."""

    end_date: Annotated[EndDay, AfterValidator(_near_start)]


class SentDaysQuery(DaysQuery):
    timezone: ZoneName = Field(validation_alias=_ZONES)


class RowsQuery(DatedQuery):
    """Of rows that may be read in pages."""

    limit: Annotated[Int, Field(ge=1)] | None = Field(
        default=None, validation_alias=AliasChoices("limit", "per_page", "page_size")
    )
    offset: Annotated[Int, Field(ge=0)] = Field(default=0, validation_alias=AliasChoices("offset", "skip"))
    page: Annotated[Int, Field(ge=1, le=_LAST_PAGE)] | None = None
    is_bounced: Text | None = None
    filter: Text | None = None

    def page_of(self, rows: Sequence[T]) -> list[T]:
        size = self.limit or (_PAGE_SIZE if self.page else len(rows))
        start = (self.page - 1) * size if self.page else self.offset
        return list(rows[start : start + size])
