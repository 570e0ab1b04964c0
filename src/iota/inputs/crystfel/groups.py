"""Levels of a detector from the groups of panels that a CrystFEL geometry names.

CrystFEL 0.11 and newer read ``group_NAME = a,b``, where a and b are panels or groups named above; depth in this tree is
the level. Older versions read ``rigid_group_NAME = a,b``, where a and b are panels, and each
``rigid_group_collection_NAME = g,h`` is one level; rigid groups in no collection mean nothing.

Source: crystfel_geometry(5).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

_KEY = re.compile(r"^(?P<kind>rigid_group_collection|rigid_group|group)_(?P<name>.+)$")

_WHOLE = "all"  # the name of the group that is the detector

Panels = frozenset[int]  # by their numbers in the file


class Level(msgspec.Struct, frozen=True):
    """One level of a detector: each panel is in one group, and each group in one group of a coarser level."""

    groups: tuple[int, ...]  # number of the group of each panel, from 0
    names: tuple[str, ...]  # of the groups


class _Candidate(msgspec.Struct):
    """Groups that may make a level; panels in none of them are in those of the next finer level."""

    title: str
    groups: dict[str, Panels]


class GroupLines:
    """Lines of a geometry file on groups of panels, read one by one."""

    def __init__(self) -> None:
        self._members: dict[str, dict[str, list[str]]] = {"rigid_group_collection": {}, "rigid_group": {}, "group": {}}

    def take(self, key: str, value: str) -> bool:
        """Read a line; returns whether it is about groups."""
        found = _KEY.match(key)
        if found is None:
            return False
        members = self._members[found["kind"]].setdefault(found["name"], [])
        members += [name for part in value.split(",") if (name := part.strip())]
        return True

    def levels(self, panels: Sequence[str]) -> tuple[tuple[Level, ...], tuple[str, ...]]:
        """Levels between the whole detector and its panels.

        Args:
            panels: their names.

        Returns:
            The levels, from coarse to fine, and a sentence for everything that could not be used.
        """
        problems: list[str] = []
        number_of = {name: frozenset([number]) for number, name in enumerate(panels)}
        rigid = dict(_resolved("rigid_group", self._members["rigid_group"], number_of, "a panel", problems))
        candidates = []
        for name, members in self._members["rigid_group_collection"].items():
            title = f"rigid_group_collection_{name}"
            known = _known(title, members, rigid, "a rigid group", problems)
            candidates.append(_Candidate(title, {member: rigid[member] for member in known}))
        candidates += self._tree(number_of, problems)
        return _nested(candidates, panels, problems), tuple(problems)

    def _tree(self, number_of: Mapping[str, Panels], problems: list[str]) -> Iterator[_Candidate]:
        """A candidate for each level of the tree of groups."""
        lines = {name: members for name, members in self._members["group"].items() if name not in number_of}
        problems += [
            f"group_{name} is not used, because a panel has the same name."
            for name in self._members["group"]
            if name in number_of
        ]
        known = dict(number_of)
        for name, panels in _resolved("group", lines, known, "a panel or a group defined above it", problems):
            known[name] = panels  # for the lines below
        groups = [name for name in lines if name in known]
        inner = {member for name in groups if name != _WHOLE for member in lines[name]}
        here = [name for name in groups if name not in inner and name != _WHOLE]
        for level in itertools.count(1):
            if not here:
                return
            yield _Candidate(f"level {level} of the group lines", {name: known[name] for name in here})
            here = [name for name in dict.fromkeys(m for one in here for m in lines[one]) if name in groups]


def _resolved(
    kind: str, lines: Mapping[str, list[str]], known: Mapping[str, Panels], what: str, problems: list[str]
) -> Iterator[tuple[str, Panels]]:
    """Panels of each group, of those of its members that are known; a group without any is left out."""
    for name, members in lines.items():
        panels = [known[member] for member in _known(f"{kind}_{name}", members, known, what, problems)]
        if panels:
            yield name, frozenset[int]().union(*panels)


def _known(
    title: str, members: Sequence[str], known: Mapping[str, Panels], what: str, problems: list[str]
) -> list[str]:
    unknown = [member for member in members if member not in known]
    if unknown:
        more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        problems.append(f"{title} names {unknown[0]}{more}, which is not {what}.")
    return [member for member in members if member in known]


def _nested(candidates: Iterable[_Candidate], panels: Sequence[str], problems: list[str]) -> tuple[Level, ...]:
    """The levels that candidates make, from coarse to fine; each must contain the finer ones."""
    finest = Level(tuple(range(len(panels))), tuple(panels))
    levels = [finest]
    for candidate in sorted(candidates, key=_mean_size):
        problem = _overlap(candidate, panels) or _cut(candidate, levels[-1])
        if problem:
            problems.append(f"{candidate.title} is not used as a level of the detector: {problem}.")
            continue
        level = _level(candidate, levels[-1])
        if 1 < len(level.names) < len(levels[-1].names):
            levels.append(level)
    return tuple(levels[:0:-1])


def _mean_size(candidate: _Candidate) -> float:
    return sum(map(len, candidate.groups.values())) / max(1, len(candidate.groups))


def _overlap(candidate: _Candidate, panels: Sequence[str]) -> str | None:
    """Which panel is in two groups; None if there is none."""
    group_of: dict[int, str] = {}
    for name, members in candidate.groups.items():
        for panel in sorted(members):
            if panel in group_of:
                return f"panel {panels[panel]} is in two of its groups, {group_of[panel]} and {name}"
            group_of[panel] = name
    return None


def _cut(candidate: _Candidate, finer: Level) -> str | None:
    """Which group of the next finer level is only partly in a group of the candidate; None if there is none."""
    for name, members in candidate.groups.items():
        inside = {finer.groups[panel] for panel in members}
        for panel, group in enumerate(finer.groups):
            if group in inside and panel not in members:
                return f"its group {name} contains {finer.names[group]} only in part"
    return None


def _level(candidate: _Candidate, finer: Level) -> Level:
    group_of = {panel: name for name, members in candidate.groups.items() for panel in members}
    labels = [(group_of.get(panel), None if panel in group_of else group) for panel, group in enumerate(finer.groups)]
    number = {label: k for k, label in enumerate(dict.fromkeys(labels))}
    names = [name if group is None else finer.names[group] for name, group in number]
    return Level(tuple(number[label] for label in labels), tuple(str(name) for name in names))
