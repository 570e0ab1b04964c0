"""Whether the locks are what ``pyproject.toml`` asks for: read from files alone, so the answer is always the same."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.requirements import Requirement

from iota.requirements.locks import GROUPS, KINDS, Pin, from_dials, lock
from locking import licences
from locking.asked import PROJECT, Asked, name_of


def problems(asked: Asked) -> Iterator[str]:
    """Sentences, each about one thing that is not as it has to be; none where all is well."""
    if set(asked.targets) != set(KINDS):
        yield f"pyproject.toml has locks for {', '.join(asked.targets)}, iota.requirements for {', '.join(KINDS)}."
        return
    for kind in KINDS:
        yield from _of_kind(kind, asked, {group: lock(kind, group) for group in GROUPS}, from_dials(kind))
    yield from _licences({pin.name: group for kind in KINDS for group in reversed(GROUPS) for pin in lock(kind, group)})


def _of_kind(kind: str, asked: Asked, locks: dict[str, list[Pin]], given: dict[str, str]) -> Iterator[str]:
    versions: dict[str, str] = {}
    for group, pins in locks.items():
        where = f"{kind}/{group}.lock"
        for pin in pins:
            if not pin.hashes:
                yield f"{where}: {pin.name} has no hash."
            if pin.name in given:
                yield f"{where}: {pin.name} comes with DIALS."
            if versions.setdefault(pin.name, pin.version) != pin.version:
                yield f"{where}: {pin.name} {pin.version}, in another group {versions[pin.name]}."
        there = {pin.name: pin for pin in (*locks["run"], *pins)}
        yield from (f"{where}: {text}" for text in _missing(asked.groups[group], there, given))
        yield from (f"{where}: {text}" for text in _unneeded(pins, asked.groups[group], there))
    for limit in map(Requirement, asked.targets[kind].limits):
        if not limit.specifier.contains(versions.get(limit.name, "0")):
            yield f"{kind}: {limit.name} {versions[limit.name]} is beyond the limit {limit}."


def _missing(requirements: list[Requirement], there: dict[str, Pin], given: dict[str, str]) -> Iterator[str]:
    """What is asked for and is not there, or in a version that does not do."""
    for requirement in requirements:
        name = name_of(requirement)
        version = there[name].version if name in there else given.get(name)
        if version is None:
            yield f"{requirement} is asked for and not there: run scripts/lock."
        elif not requirement.specifier.contains(version):
            yield f"{name} {version} is not what is asked for, {requirement}: run scripts/lock."


def _unneeded(pins: list[Pin], requirements: list[Requirement], there: dict[str, Pin]) -> Iterator[str]:
    """What nobody needs any longer: neither the project nor, in the end, anything that the project asks for."""
    direct = {name_of(requirement) for requirement in requirements}
    needed = {name for name in there if name in direct} | (there.keys() - {pin.name for pin in pins})
    while more := {pin.name for pin in pins if pin.name not in needed and needed & set(pin.needed_by)}:
        needed |= more
    for pin in pins:
        if pin.name not in needed:
            yield f"nothing that is asked for needs {pin.name}: run scripts/lock."
        elif (PROJECT in pin.needed_by) != (pin.name in direct):
            yield f"{pin.name} is not marked as what it is, asked for by the project or not: run scripts/lock."


def _licences(groups: dict[str, str]) -> Iterator[str]:
    """What is wrong with licences; ``groups`` has the group of each package, that of users where it is in several."""
    known = licences.read()
    for name in sorted(groups.keys() | known.keys()):
        if name not in known:
            yield f"licences.json does not have {name}: run scripts/lock."
        elif name not in groups:
            yield f"licences.json has {name}, which is in no lock: run scripts/lock."
        elif groups[name] != "dev" and not licences.is_allowed(known[name]):
            yield f"{name} has the licence {known[name]}: scripts/locking/licences.py says what may go with IOTA."
