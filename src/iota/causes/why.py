"""Why one frame failed: a cause and its values."""

from __future__ import annotations

import msgspec

from iota.causes.table import Cause
from iota.causes.templates import Values, clean


class Why(msgspec.Struct, frozen=True):
    """Why a frame, or a combination of settings, failed; its text is the sentence. Made by :func:`why`."""

    cause: Cause
    values: Values = {}

    def __str__(self) -> str:
        """Return the sentence."""
        return self.cause.sentence(self.values)

    def elsewhere(self, place: str) -> str:
        """The sentence where no log of the frame is kept, with another one on where the DIALS message is."""
        return self.cause.sentence({**self.values, "see": place})


def why(cause: Cause, **values: object) -> Why:
    """A cause with its values.

    Args:
        cause: what went wrong.
        values: those that its template names, numbers, texts or cells.
    """
    return Why(cause, clean(values))
