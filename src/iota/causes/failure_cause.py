"""The class of causes: code, outcome, sentence and advice; its members are in iota.causes.table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum

from iota.causes import advice, templates
from iota.causes.advice import Hint
from iota.causes.outcomes import Outcome
from iota.causes.templates import Value


class FailureCause(str, Enum):
    """A code with its outcome, sentence and advice; without members, which are those of :class:`iota.causes.Cause`."""

    outcome: Outcome  # of frames that fail for this cause; a few causes also occur in other stages
    template: str  # of the sentence, see iota.causes.templates
    tells: tuple[str, ...]  # values that are texts, by which frames are counted apart
    _own_hint: Hint | None

    def __new__(
        cls, code: str, outcome: Outcome, template: str, hint: Hint | None = None, tells: tuple[str, ...] = ()
    ) -> FailureCause:
        """Make a member from its line in the table."""
        made = str.__new__(cls, code)
        made._value_ = code
        made.outcome, made.template, made.tells, made._own_hint = outcome, template, tells, hint
        return made

    def hint(self, outcome: Outcome) -> Hint | None:
        """What to try if a frame ended with this outcome for this cause."""
        return self._own_hint or advice.OTHERWISE.get(outcome)

    @property
    def has_own_hint(self) -> bool:
        """Whether the advice is for this cause, and not for its outcome."""
        return self._own_hint is not None

    def sentence(self, values: Mapping[str, Value]) -> str:
        """The sentence for users; the code in words if values are missing, as in a record that was edited."""
        try:
            return templates.filled_in(self.template, values)
        except (KeyError, ValueError, TypeError, OverflowError):
            return f"{self.value.replace('_', ' ').capitalize()}."

    def counted(self, values: Mapping[str, Value], of_text: Callable[[str], str]) -> str:
        """The sentence with … for numbers, and what ``of_text`` makes of texts."""
        try:
            return templates.counted(self.template, values, of_text)
        except (KeyError, ValueError, TypeError, OverflowError):
            return self.sentence(values)

    def general(self, values: Mapping[str, Value], of_text: Callable[[str], str]) -> str:
        """The sentence with … for all values by which frames are not counted apart."""
        return templates.general(self.template, values, self.tells, of_text)
