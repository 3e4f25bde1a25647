"""When somebody who is out of office comes back, as far as the notice says it.

A day counts only where words make it the end of an absence, within the next months, and only if it can be read in one
way. Words: `rules/dates.toml`; how days are written: `written_date`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache

from outrider.mail.written_date import LONGEST_ABSENCE, Written, any_of, calendar, rules

MAX_TEXT = 2_000
_SEEN_BEFORE = 80  # characters before a day in which its cue stands
_SEEN_AFTER = 30
_PART_OF_DATE = 6  # a weekday so close to a date is part of it

_SENTENCE_END = re.compile(r"(?<!\d)(?<!\b\w)[.!?]+\s+(?=\D)|[。！]|\s*\n\s*\n\s*")
_SPACE = re.compile(r"\s+")
_DAY_FIRST = re.compile(r"(?<![\d/])(?:1[3-9]|2\d|3[01])/\d{1,2}\b")
_MONTH_FIRST = re.compile(r"(?<![\d/])\d{1,2}/(?:1[3-9]|2\d|3[01])\b")


def find_return_date(text: str, *, today: date) -> date | None:
    """The latest day the notice gives for the end of the absence. `today`: where its author is."""
    words, text = _words(), text[:MAX_TEXT].lower()
    sentences = [_SPACE.sub(" ", sentence).strip() for sentence in _SENTENCE_END.split(text)]
    order = _order(text)
    days = [day for sentence in sentences for day in words.ends(sentence, today, day_first=order)]
    # A notice may be forgotten: a day just past is a possible meaning, though none to act on.
    return max((day for day in days if today <= day <= today + LONGEST_ABSENCE), default=None)


def _order(text: str) -> bool | None:
    """Whether 4/5 is the fourth of May, by the other dates of the text."""
    is_day_first, is_month_first = _DAY_FIRST.search(text), _MONTH_FIRST.search(text)
    return None if bool(is_day_first) == bool(is_month_first) else bool(is_day_first)


@dataclass(frozen=True, slots=True)
class _Words:
    until_english: re.Pattern[str]
    until: re.Pattern[str]
    back_english: re.Pattern[str]
    back: re.Pattern[str]
    from_day: re.Pattern[str]
    after: re.Pattern[str]
    again: re.Pattern[str]
    answer: re.Pattern[str]
    when: re.Pattern[str]
    weekday_before: re.Pattern[str]
    asian_before: re.Pattern[str]
    asian_after: re.Pattern[str]

    def ends(self, sentence: str, today: date, *, day_first: bool | None) -> list[date]:
        """Full dates, if the sentence has one; else what is said as seen from today."""
        if day_first is None and not self._is_english(sentence):
            day_first = True
        days = calendar()
        with_month = [each for each in days.dates(sentence, today, day_first=day_first) if self._ends(sentence, each)]
        if with_month:
            return [day for each in with_month if (day := each.without_doubt())]
        return list(self._relative_ends(sentence, today))

    def _relative_ends(self, sentence: str, today: date) -> Iterator[date]:
        days = calendar()
        speaks_of_return = bool(self.again.search(sentence) or self.answer.search(sentence))
        dated = [(each.start, each.end) for each in days.dates(sentence, today, day_first=True)]
        for each in days.coming(sentence, today):
            if any(each.start - _PART_OF_DATE <= end and start <= each.end + _PART_OF_DATE for start, end in dated):
                continue  # "Friday, 6 March" is one day
            if self._ends(sentence, each) or (speaks_of_return and not self._is_range(sentence, each)):
                yield each.days[0]
        for each in days.spans(sentence, today):
            yield each.days[0]
        for each in days.vague(sentence, today):
            if each.days and self._ends(sentence, each):
                is_last_day = each.last and self._is_until(sentence, each)
                yield each.last if each.last and is_last_day else each.days[0]

    def _ends(self, sentence: str, day: Written) -> bool:
        """Whether the words around a day make it the end of an absence; after "from" and the like they must say so."""
        if day.ends_range:
            return True
        before = sentence[max(0, day.start - _SEEN_BEFORE) : day.start]
        after = sentence[day.end : day.end + _SEEN_AFTER]
        if self._is_until(sentence, day):
            return not self._is_range(sentence, day)
        if self.back_english.search(before) or self.back.search(before) or self.after.match(after):
            return True
        if self.asian_before.search(before) or self.asian_after.match(after):
            return True
        speaks_of_return = self.again.search(self.when.sub("", sentence)) or self.answer.search(before)
        return bool(speaks_of_return and self.from_day.search(before))

    def _is_until(self, sentence: str, day: Written) -> bool:
        before = sentence[max(0, day.start - _SEEN_BEFORE) : day.start]
        return bool(self.until_english.search(before) or self.until.search(before))

    def _is_range(self, sentence: str, day: Written) -> bool:
        """As in "Monday to Friday", which are office hours."""
        return self.weekday_before.search(sentence[: day.start]) is not None

    def _is_english(self, sentence: str) -> bool:
        return bool(re.search(rf"{any_of(rules()['cues']['until_english'])}|\bback\b|\breturn", sentence))


@cache
def _words() -> _Words:
    cues, asian = rules()["cues"], rules()["east_asian"]
    weekday = "|".join(name for names in rules()["weekdays"] for name in names)
    filler = "|".join([*sorted(cues["fillers"], key=len, reverse=True), weekday])
    gap = rf"[\s,:(]{{0,3}}(?:(?:{filler})(?!\w)\.?[\s,]{{1,3}}){{0,4}}$"

    def before(name: str) -> re.Pattern[str]:
        return re.compile(rf"{_cue(cues[name])}{gap}")

    return _Words(
        until_english=before("until_english"),
        until=before("until"),
        back_english=before("back_english"),
        back=before("back"),
        from_day=before("from"),
        after=re.compile(rf"[^\d]{{0,{_SEEN_AFTER}}}?(?<!\w)(?:{'|'.join(cues['after'])})"),
        again=re.compile(any_of(cues["again"])),
        answer=re.compile(any_of(cues["answer"])),
        when=re.compile(rf"{any_of(cues['when'])}[^,;]*"),
        weekday_before=re.compile(
            rf"(?:{weekday})\s?(?:[-–—]|(?:{_cue([*cues['until_english'], *cues['until']])}))\s?(?:[a-z]{{1,3}} )?$"
        ),
        asian_before=re.compile(rf"(?:{'|'.join(asian['before'])})\s?$"),
        asian_after=re.compile(rf"\s?(?:\([^)]{{1,4}}\)|（[^）]{{1,4}}）)?\s?(?:{'|'.join(asian['after'])})"),
    )


def _cue(patterns: list[str]) -> str:
    """Words, or the sign of a range, which follows on a digit."""
    return rf"(?:(?<!\w)(?:{'|'.join(patterns)})(?!\w)|\d\.?\s?[-–—])"
