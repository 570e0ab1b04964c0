"""Checks of ``iota.doctor`` on Python packages, compared with the lock files."""

from __future__ import annotations

from iota.cli.checks.check import Check
from iota.requirements.locks import Comparison, compare, from_dials, install_command

_NAME = "Python packages"


def package_check(found: Comparison | None = None) -> Check:
    """Report missing packages (an error) and versions that differ from those of the lock (a note)."""
    found = found or compare()
    differing = ", ".join(f"{pin.name} {here} (tested: {pin.version})" for pin, here in found.differing)
    if found.missing:
        also = f"; other versions than tested: {differing}" if differing else ""
        return Check(_NAME, "bad", f"not installed: {', '.join(found.missing)}{also}", how_to_install(found))
    if differing:
        number = f"{len(found.differing)} of {found.n_compared}"
        mend = f"Only act on this if there are problems. To get the tested versions: {install_command(found.groups)}"
        return Check(_NAME, "note", f"{number} in versions with which this IOTA was not tested: {differing}", mend)
    return Check(_NAME, "good", f"{found.n_compared}, as this IOTA was tested with them (lock files: {found.kind})")


def how_to_install(found: Comparison) -> str:
    """How to install missing packages; those that come with DIALS are in no lock."""
    of_dials = [name for name in found.missing if name in from_dials(found.kind)]
    words = [] if of_dials == found.missing else [f"Install what IOTA needs: {install_command(['run'])}"]
    if of_dials:
        debian = " ".join(f"python3-{name}" for name in of_dials)
        words.append(f"{', '.join(of_dials)} should have come with DIALS. On Debian: apt-get install {debian}")
    return "; ".join(words)
