"""`python -m tests.mail.figures`: how many samples are read rightly, by kind, language and dialect."""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from outrider.mail.autoreply import AutoReplyKind, detect
from outrider.mail.dsn import classify_bounce, read_dsn
from outrider.mail.parse import Correspondent
from tests.mail.samples import Sample, load


@dataclass(frozen=True, slots=True)
class Result:
    """What was made of one sample, for one question."""

    question: str
    sample: Sample
    expected: str
    found: str

    @property
    def is_right(self) -> bool:
        return self.found == self.expected


def results() -> list[Result]:
    return [
        *(_verdict_on(sample) for sample in load("bounces")),
        *(result for sample in load("autoreplies") for result in _reading_of(sample)),
    ]


def share(results: Iterable[Result], question: str, *, held_out: bool) -> float:
    """Of right answers to a question, 0 to 1."""
    asked = [each for each in results if each.question == question and each.sample.is_held_out == held_out]
    return sum(each.is_right for each in asked) / len(asked)


def _verdict_on(sample: Sample) -> Result:
    """HARD, SOFT or SENDER; for reports that are no bounce their action; for what is no report: nothing."""
    dsn = read_dsn(sample.parse())
    bounce = classify_bounce(dsn) if dsn else None
    found = bounce.kind if bounce else dsn.action if dsn else "no report"
    expected = sample.expected.get("kind") or sample.expected.get("action", "no report")
    return Result("bounces", sample, str(expected), str(found))


def _reading_of(sample: Sample) -> list[Result]:
    incoming = sample.parse()
    assert incoming.date
    auto, expected = detect(incoming, now=incoming.date), sample.expected
    kind = expected.get("kind", "person")
    answers = [Result("auto-replies", sample, kind, str(auto.kind) if auto else "person")]
    if kind == AutoReplyKind.OUT_OF_OFFICE:
        date = str(auto and auto.return_date)
        answers.append(Result("return dates", sample, str(expected.get("return_date")), date))
    if kind in {AutoReplyKind.OUT_OF_OFFICE, AutoReplyKind.GONE}:
        person = spelled(auto and auto.replacement)
        answers.append(Result("replacements", sample, expected.get("replacement", "nobody"), person))
    return answers


def spelled(person: Correspondent | None) -> str:
    """As `expected.toml` has it."""
    if person is None:
        return "nobody"
    return f"{person.name} <{person.address}>" if person.name else person.address


def _print_table(results: list[Result], title: str, group: Callable[[Result], str]) -> None:
    print(f"  by {title}")  # noqa: T201
    for name in sorted({group(each) for each in results}):
        of_group = [each for each in results if group(each) == name]
        print(f"    {name:<16} {_counts(of_group)}   held out {_counts(_held_out(of_group))}")  # noqa: T201


def _held_out(results: list[Result]) -> list[Result]:
    return [each for each in results if each.sample.is_held_out]


def _counts(results: list[Result]) -> str:
    right = sum(each.is_right for each in results)
    return f"{right:>3} of {len(results):>3}" + (f" {right / len(results):>7.1%}" if results else " " * 8)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mail.figures", description=__doc__)
    parser.add_argument(
        "--wrong", action="store_true", help="name the samples that are read wrongly, but for held-out ones"
    )
    options = parser.parse_args()
    everything = results()
    for question in dict.fromkeys(each.question for each in everything):
        asked = [each for each in everything if each.question == question]
        print(f"{question}: {_counts(asked)}   held out {_counts(_held_out(asked))}")  # noqa: T201
        if question in {"bounces", "auto-replies"}:
            _print_table(asked, "kind", lambda each: each.expected)
        _print_table(asked, "language", lambda each: each.sample.language)
        if question == "bounces":
            _print_table(asked, "dialect", lambda each: str(each.sample.expected["dialect"]))
        for each in asked:
            if options.wrong and not each.is_right and not each.sample.is_held_out:
                print(f"  {each.sample.name}: {each.found} instead of {each.expected}")  # noqa: T201


if __name__ == "__main__":
    main()
