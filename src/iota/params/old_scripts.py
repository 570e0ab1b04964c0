"""Translates complete scripts of earlier versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from iota.params.old_combinations import COMBINATIONS, leave_out
from iota.params.old_names import backend_name, chosen, current_name, current_words, retired


class Translated(msgspec.Struct):
    """A script of an earlier version, translated to current names."""

    phil: str = ""  # assignments to IOTA's parameters
    backend: list[tuple[str, str]] = []  # the same for the backend's, as name and value
    told: list[str] = []  # what to tell people, a sentence each


def is_old_name(name: str, is_known: Callable[[str], bool]) -> bool:
    """Whether a full name that no longer exists was a parameter of an earlier version."""
    source = [_Definition(name, ["None"], "", None)]
    return bool(
        current_name(name, is_known)
        or backend_name(name)
        or retired(name)
        or any(rule.names(source) for rule in COMBINATIONS)
    )


class _Definition(msgspec.Struct):
    """One definition of a script."""

    path: str
    words: list[str]
    where: str  # file and line
    definition: Any

    @property
    def value(self) -> str:
        return chosen(self.words)


def translate(source: Any, is_known: Callable[[str], bool]) -> Translated:
    """Translate the parameters of earlier versions in a parsed script, and disable them in the script.

    Args:
        source: PHIL scope of the script; definitions that are translated are disabled in it.
        is_known: whether a full name is one of IOTA's parameters of today.
    """
    script = [
        _Definition(
            item.path, [str(word) for word in item.object.words], item.object.where_str.strip(" ()"), item.object
        )
        for item in source.all_definitions()
    ]
    result = Translated()
    script = _without_other_backend(script, result)
    for rule in COMBINATIONS:
        script = _apply_combinations(rule, script, result)
    _tell_retired(_take_each(script, is_known, result), result)
    return result


def _without_other_backend(script: list[_Definition], result: Translated) -> list[_Definition]:
    """The script without the parameters that apply only to the backend that was not selected."""
    names, sentence = leave_out({said.path: said.value for said in script})
    gone = [said for said in script if said.path in names]
    if gone:
        result.told.append(f"{sentence} ({_places(gone)}).")
    return _without(script, gone)


def _apply_combinations(rule: Any, script: list[_Definition], result: Translated) -> list[_Definition]:
    names = rule.names(script)
    mine = [said for said in script if said.path in names]
    if not mine:
        return script
    meaning = rule.meaning({said.path: said.value for said in mine})
    result.phil += "".join(f"{name} = {value}\n" for name, value in meaning.assignments)
    where = _places(mine)
    if meaning.objection:
        result.told.append(f"{meaning.objection} ({where}).")
    elif meaning.assignments:
        news = _listed([f"{name} = {value}" for name, value in meaning.assignments])
        olds = meaning.told or [said.path for said in mine]
        result.told.append(f"{_listed(olds)} {'is' if len(olds) == 1 else 'are'} read as {news} ({where}).")
    return _without(script, [said for said in script if said.path in names or said.path in meaning.replaces])


def _take_each(script: list[_Definition], is_known: Callable[[str], bool], result: Translated) -> list[_Definition]:
    """Translate definitions one by one; return those that have no meaning by themselves."""
    unknown: list[_Definition] = []
    moved: dict[tuple[str, str], list[_Definition]] = {}  # by old and new scope
    for said in script:
        name = current_name(said.path, is_known) or backend_name(said.path)
        if name is None:
            unknown.append(said)
            continue
        words = current_words(name, said.words)
        if name == said.path and words == said.words:
            continue
        said.definition.is_disabled = True
        value = " ".join(words)
        new_value = f" = {value}" if chosen(words) != said.value else ""
        if new_value:
            result.told.append(f"{said.path} is read as {name}{new_value} ({said.where}).")
        elif name != said.path:
            moved.setdefault(_scopes(said.path, name), []).append(said)
        if is_known(name):
            result.phil += f"{name} = {value}\n"
        else:
            result.backend.append((name, value))
    result.told += [_moved_sentence(old, new, several) for (old, new), several in moved.items()]
    return unknown


def _moved_sentence(old: str, new: str, several: Sequence[_Definition]) -> str:
    """Sentence on parameters whose scope or name has changed."""
    ends = [said.path[len(old) :] for said in several]
    if len(ends) == 1:
        return f"{old}{ends[0]} is read as {new}{ends[0]} ({_places(several)})."
    names = _listed([end[1:] for end in ends])
    return f"{names} of {old} are read as those of {new} ({_places(several)})."


def _scopes(old: str, new: str) -> tuple[str, str]:
    """Beginnings in which an old and a new name differ: the scope that moved, or the whole names."""
    before, after = old.split("."), new.split(".")
    same = 0
    while same < min(len(before) - 1, len(after) - 1) and before[-1 - same] == after[-1 - same]:
        same += 1
    return ".".join(before[: len(before) - same]), ".".join(after[: len(after) - same])


def _tell_retired(script: list[_Definition], result: Translated) -> None:
    """Report each parameter or scope without effect once; unknown names stay in the script."""
    found: dict[tuple[str, str], list[_Definition]] = {}
    for said in script:
        entry = retired(said.path)
        if entry is not None:
            said.definition.is_disabled = True
            found.setdefault(entry, []).append(said)
    for (old, instead), several in found.items():
        name = several[0].path if len(several) == 1 else f"{old} ({len(several)} parameters)"
        result.told.append(f"{name} no longer has any effect ({_places(several)}): {instead}.")


def _without(script: list[_Definition], gone: Sequence[_Definition]) -> list[_Definition]:
    for said in gone:
        said.definition.is_disabled = True
    return [said for said in script if said not in gone]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _places(script: Sequence[_Definition]) -> str:
    """Where definitions stand, e.g. ``file old.param, line 3`` or ``file old.param, lines 3 to 20``."""
    first, last = script[0].where, script[-1].where
    file, _, number = first.rpartition(", line ")
    if first == last or not file or not last.startswith(file):
        return first
    return f"{file}, lines {number} to {last.rpartition(', line ')[2]}"
