"""Searches for images in a separate process, within limits of time, memory and number of names."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Sequence

import msgspec

from iota.inputs.finding.find import Kind, find_frames
from iota.inputs.names.problem import Problem
from iota.inputs.names.select import choose
from iota.processes.protocol import Tell
from iota.processes.question import Question
from iota.records import FrameRef

_MAX_NAMES = 2_000_000  # or images, that one search looks at
_MAX_SHOWN = 200  # first images of an input that are named
_MAX_SHOWN_IN_ALL = 20_000
_MAX_PROBLEMS = 20  # of an input


class CountImages(msgspec.Struct, frozen=True):
    """How many images are in some inputs?"""

    sources: list[str]
    geometry: str | None = None
    max_names: int | None = _MAX_NAMES


class ChooseImages(msgspec.Struct, frozen=True):
    """Which images are in some inputs? ``some`` as :func:`iota.inputs.names.select.choose` takes it."""

    sources: list[str]
    some: str
    max_chosen: int
    max_names: int | None = _MAX_NAMES


class SourceCount(msgspec.Struct, frozen=True):
    """The contents of one input."""

    path: str
    kind: Kind
    n_frames: int
    n_files: int
    first: list[FrameRef]
    problems: list[str]
    n_problems: int


class Counted(msgspec.Struct, frozen=True):
    """The contents of the inputs, in their order."""

    n_frames: int
    sources: list[SourceCount]


class Chosen(msgspec.Struct, frozen=True):
    """The selected images, and messages about them."""

    frames: list[FrameRef]
    remarks: list[str]


def count_images(question: CountImages, tell: Tell | None = None) -> Counted:
    """Count the images of inputs; the answer is small, whatever their number.

    Raises:
        OverLimitError: there are more names or images than may be looked at.
    """
    found = find_frames(question.sources, geometry=question.geometry, progress=tell, most=question.max_names)
    shown = max(1, min(_MAX_SHOWN, _MAX_SHOWN_IN_ALL // max(1, len(question.sources))))
    problems = _Problems(found.problems)
    counts, first = [], 0
    for source in found.sources:
        frames = found.frames[first : first + source.n_frames]
        first += source.n_frames
        said = problems.of(source.path)
        counts.append(
            SourceCount(
                source.path,
                source.kind,
                source.n_frames,
                len({frame.path for frame in frames}),
                frames[:shown],
                said[:_MAX_PROBLEMS],
                len(said),
            )
        )
    return Counted(len(found.frames), counts)


class _Problems:
    """Problems by input: of the path itself, or of anything below it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._problems = sorted(problems, key=lambda problem: problem.path)

    def of(self, source: str) -> list[str]:
        path = os.path.normpath(source)
        own = [text for name in dict.fromkeys((source, path)) for text in self._between(name, f"{name}\0")]
        return own or self._between(f"{path.rstrip('/')}/", f"{path.rstrip('/')}0")  # 0 comes after /

    def _between(self, first: str, end: str) -> list[str]:
        at, stop = (bisect_left(self._problems, name, key=lambda problem: problem.path) for name in (first, end))
        return [problem.text for problem in self._problems[at:stop]]


def choose_images(question: ChooseImages, tell: Tell | None = None) -> Chosen:
    """Find images in the inputs, for browsing.

    Raises:
        UsageError: the choice is not understood.
        OverLimitError: there are more names or images than may be looked at.
    """
    choose([], question.some, question.max_chosen)  # a choice that is not understood is told before the search
    found = find_frames(question.sources, progress=tell, most=question.max_names)
    remarks = [problem.text for problem in found.problems[:5]]
    frames = choose(found.frames, question.some, question.max_chosen)
    if not question.some and len(found.frames) > len(frames):
        remarks.append(f"Only the first {len(frames):,} of {len(found.frames):,} images are shown.")
    return Chosen(frames, remarks)


COUNT_IMAGES = Question(
    f"{__name__}:{count_images.__name__}",
    CountImages,
    Counted,
    "The search",
    seconds=300,
    megabytes=700,
    counted="images",
    advice="Give fewer folders or a narrower wildcard. iota.run searches without these limits.",
    nice=10,  # images and pages come first
)
CHOOSE_IMAGES = Question(
    f"{__name__}:{choose_images.__name__}",
    ChooseImages,
    Chosen,
    COUNT_IMAGES.work,
    seconds=COUNT_IMAGES.seconds,
    megabytes=COUNT_IMAGES.megabytes,
    counted=COUNT_IMAGES.counted,
    advice=COUNT_IMAGES.advice,
    nice=COUNT_IMAGES.nice,
)
