"""Questions answered by processes with DIALS, for programs without it: forms, reports, the server."""

from __future__ import annotations

from typing import Any

import msgspec

from iota.params.forms import Definitions
from iota.processes.question import Question

DEFINITIONS = Question(
    f"{__package__}.backend.definitions:definitions",
    type(None),
    Definitions,
    "Loading DIALS",
    seconds=180,  # a cold network file system needs most of it
    advice="Run iota.doctor to find out why.",
)


class CountReflections(msgspec.Struct, frozen=True):
    """Count the reflections of a run that are not yet counted, for some seconds."""

    folder: str


class CountedReflections(msgspec.Struct, frozen=True):
    """The counts are in the run folder."""

    is_all: bool  # of what there was


COUNT_REFLECTIONS = Question(
    f"{__package__}.merging.miller_counts:count_reflections",
    CountReflections,
    CountedReflections,
    "Counting reflections",
    seconds=300,
    nice=10,  # a run on the same cores goes first
)


class ImageRequest(msgspec.Struct, frozen=True):
    """A request about an image: a method of :class:`iota.engine.viewer.pixels.Pixels`."""

    do: str
    given: dict[str, Any] = {}


PIXELS = Question(
    f"{__package__}.viewer.pixels:answer",
    ImageRequest,
    msgspec.Raw,  # pages read it
    "Processing the image",
    seconds=60,
    advice="The server is still running; other images can be opened.",
)
