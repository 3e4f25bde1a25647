"""The texts of steps and variants, compiled once and kept until they are edited."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from outrider.content.syntax import TemplateError
from outrider.content.template import Template, compile_body, compile_subject
from outrider.content.variables import Values, fold, mail_values
from outrider.engine import store
from outrider.engine.facts import LeadFacts, StepFacts, Text, VariantFacts
from outrider.kit.db import Db

_KEPT_TEXTS = 5_000

Which = tuple[StepFacts, VariantFacts | None]
_Key = tuple[int, int | None, datetime]


@dataclass(frozen=True, slots=True)
class Compiled:
    """`needed`: names that leave a gap without a value. `says_goodbye`: the author placed the unsubscribe text."""

    subject: Template
    body: Template
    needed: tuple[str, ...]
    says_goodbye: bool

    def unresolved(self, values: Values) -> tuple[str, ...]:
        """The names that would leave a gap."""
        return tuple(name for name in self.needed if values.find(name, fold(name)) is None)


class Texts:
    """A cache by step, variant and the time of their last edit."""

    def __init__(self) -> None:
        self._compiled: dict[_Key, Compiled | TemplateError] = {}

    async def load(self, db: Db, wanted: Iterable[Which]) -> None:
        """Read and parse the texts that are new or were edited."""
        every = {_key(*which) for which in wanted}
        keys = every - self._compiled.keys()
        if not keys:
            return
        if len(self._compiled) > _KEPT_TEXTS:
            self._compiled.clear()
            keys = every
        steps = [step_id for step_id, variant_id, _ in keys if variant_id is None]
        variants = [variant_id for _, variant_id, _ in keys if variant_id is not None]
        texts = {(text.step_id, text.variant_id): text for text in await store.list_texts(db, steps, variants)}
        for key in keys:
            self._compiled[key] = _compiled(texts[key[:2]])

    def get(self, step: StepFacts, variant: VariantFacts | None) -> Compiled:
        """The text, which was loaded before. Raises TemplateError."""
        compiled = self._compiled[_key(step, variant)]
        if isinstance(compiled, TemplateError):
            raise compiled
        return compiled

    def missing(self, step: StepFacts, variant: VariantFacts | None, lead: LeadFacts) -> tuple[str, ...]:
        """The names that this lead has no value for; a broken text is another matter."""
        compiled = self._compiled[_key(step, variant)]
        if isinstance(compiled, TemplateError):
            return ()
        return compiled.unresolved(mail_values(lead.fields(), custom=lead.custom_fields))


def _key(step: StepFacts, variant: VariantFacts | None) -> _Key:
    if variant:
        return step.id, variant.id, variant.updated_at
    return step.id, None, step.updated_at


def _compiled(text: Text) -> Compiled | TemplateError:
    try:
        body = compile_body(text.email_body)
        subject = compile_subject(text.subject)
        return Compiled(subject, body, tuple(sorted(subject.needed() | body.needed())), body.has_unsubscribe_text)
    except TemplateError as error:
        return error
