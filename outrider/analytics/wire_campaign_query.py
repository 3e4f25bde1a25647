"""What the figures of one campaign may be asked for: filters, days, moments, pages (contract: campaigns)."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from outrider.analytics.windows import ALWAYS, Days, Window, find_zone, start_of
from outrider.analytics.wire_query import EndDay, Format, StartDay, day_of
from outrider.campaigns.models import InvalidTimezone
from outrider.kit.errors import Invalid
from outrider.kit.validation import Id, Int, ListOf, Moment, Text, Wire, fault, moment, reject

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOST_STEPS = 20
_A_MOMENT = timedelta(milliseconds=1)
_A_SECOND = timedelta(seconds=1)
_ZONES = AliasChoices("time_zone", "timezone")


def _start(given: Any) -> date | datetime:
    """A date, or a moment; without a zone it is in that of the question."""
    if isinstance(given, str) and _DAY.fullmatch(given.strip()):
        try:
            return date.fromisoformat(given.strip())
        except ValueError as error:
            raise fault("must be a valid date") from error
    return moment(given)


def _end(given: Any) -> date | datetime:
    """Both ends are inclusive: a date to its end, a moment to the end of its second, or of its millisecond."""
    found = _start(given)
    if not isinstance(found, datetime):
        return found + timedelta(days=1)
    return found + (_A_MOMENT if re.search(r"[.,]\d", str(given)) else _A_SECOND)


Start = Annotated[Any, BeforeValidator(_start)]
End = Annotated[Any, BeforeValidator(_end)]
"""The first moment after it."""


def _instant(bound: date | datetime | None, zone: tzinfo) -> datetime | None:
    if bound is None:
        return None
    if not isinstance(bound, datetime):
        return start_of(bound, zone)
    return (bound if bound.tzinfo else bound.replace(tzinfo=zone)).astimezone(UTC)


def _reading(bound: date | datetime, zone: tzinfo) -> datetime:
    """What the clocks of the zone show: on them every day has its place, even one that they skipped."""
    if not isinstance(bound, datetime):
        return datetime(bound.year, bound.month, bound.day)  # noqa: DTZ001 - a reading
    return (bound.astimezone(zone) if bound.tzinfo else bound).replace(tzinfo=None)


def _refuse_end() -> NoReturn:
    reject('"end_date" must be larger than or equal to "ref:start_date"', key="end_date", source="query")


class TableQuery(Wire):
    """`format=csv`: the rows as a file, here and in all that follow."""

    format: Format = "json"


class StatisticsQuery(TableQuery):
    offset: Annotated[Int, Field(ge=0)] = 0
    limit: Annotated[Int, Field(ge=1, le=1000)] = 100
    email_sequence_number: ListOf[Annotated[Int, Field(ge=1, le=_MOST_STEPS)]] | None = None
    email_status: Literal["opened", "clicked", "replied", "unsubscribed", "bounced"] | None = None
    sent_time_start_date: Start | None = None
    sent_time_end_date: End | None = None

    @property
    def window(self) -> Window:
        return Window(_instant(self.sent_time_start_date, UTC), _instant(self.sent_time_end_date, UTC))


class _ZonedQuery(TableQuery):
    time_zone: Text = Field(default="UTC", validation_alias=_ZONES)

    @property
    def zone(self) -> tzinfo:
        found = find_zone(self.time_zone)
        if found is None:
            raise InvalidTimezone(value=self.time_zone)
        return found


def _is_day(given: str) -> str:
    day_of(given)
    return given


WrittenDay = Annotated[Text, AfterValidator(_is_day)]
"""Comes back as it was written."""


class RangeQuery(_ZonedQuery):
    start_date: WrittenDay
    end_date: WrittenDay
    time_zone: Text = Field(default="UTC", validation_alias=_ZONES)

    @property
    def days(self) -> Days:
        return Days(day_of(self.start_date), day_of(self.end_date), self.zone)

    @property
    def days_in_order(self) -> Days:
        """Refuses an end before the start."""
        days = self.days
        if days.last < days.first:
            _refuse_end()
        return days


class MailboxesQuery(_ZonedQuery):
    """Days count only where both are given."""

    tolerates = frozenset({"private_api_key"})

    offset: Annotated[Int, Field(ge=0)] = Field(default=0, validation_alias=AliasChoices("offset", "skip"))
    limit: Annotated[Int, Field(ge=1, le=20)] = 20
    client_id: Id | None = None
    start_date: StartDay | None = None
    end_date: EndDay | None = None

    @property
    def window(self) -> Window:
        zone = self.zone
        return Days(self.start_date, self.end_date, zone).window if self.start_date and self.end_date else ALWAYS


class SequenceQuery(_ZonedQuery):
    start_date: Start | None = None
    end_date: End | None = None
    time_zone: Text = Field(default="UTC", validation_alias=_ZONES)

    @property
    def window(self) -> Window:
        zone = self.zone
        if self.start_date and self.end_date and _reading(self.end_date, zone) <= _reading(self.start_date, zone):
            _refuse_end()
        return Window(_instant(self.start_date, zone), _instant(self.end_date, zone))


class LeadsQuery(TableQuery):
    limit: Annotated[Int, Field(ge=1, le=100)] = 100
    offset: Annotated[Int, Field(ge=0)] = Field(default=0, validation_alias=AliasChoices("offset", "skip"))
    event_time_gt: Moment | None = None
    created_at_gt: Moment | None = None


class BadTime(Invalid):
    """Invalid {name} format. Use YYYY-MM-DD or ISO 8601 format."""


class ActivitiesQuery(Wire):
    tolerates = frozenset({"client_id"})

    offset: Annotated[Int, Field(ge=0)] = Field(default=0, validation_alias=AliasChoices("offset", "skip"))
    limit: Annotated[Int, Field(ge=1, le=1000)] = 100
    event_time_from: Text | None = None
    event_time_to: Text | None = None
    campaign_id: Id | None = None

    @property
    def window(self) -> Window:
        """Both ends are inclusive; a date is its whole day, in UTC."""
        if self.event_time_to and not self.event_time_from:
            reject('"event_time_from" is required', key="event_time_from", source="query")
        start = _bound("event_time_from", self.event_time_from, _start)
        end = _bound("event_time_to", self.event_time_to, _end)
        if start and end and end <= start:
            message = '"event_time_to" must be larger than or equal to "ref:event_time_from"'
            reject(message, key="event_time_to", source="query")
        return Window(start, end)


def _bound(name: str, given: str | None, read: Callable[[Any], date | datetime]) -> datetime | None:
    """As the reference refuses it, in its own words."""
    if not given:
        return None
    try:
        return _instant(read(given), UTC)
    except (PydanticCustomError, OverflowError) as error:
        raise BadTime(name=name, extra={"status": "error"}) from error
