"""Reads single values of CrystFEL geometry files: numbers with units, HDF5 paths, directions, bit masks."""

from __future__ import annotations

import math
import re

import msgspec

_HC_EV_A = 12398.419843  # energy of a photon (eV) times its wavelength (A)
_TERM = re.compile(r"(?P<value>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?P<axis>[xyz])")
_LENGTHS_M = {"m": 1.0, "mm": 1e-3}
_ENERGY_UNITS = {"photon_energy": ("eV", "keV", "MeV"), "wavelength": ("m", "A"), "electron_voltage": ("V", "kV")}


class NotUnderstoodError(Exception):
    """An invalid value; the text completes a sentence that names the place."""


class Quantity(msgspec.Struct, frozen=True):
    """A number, or where in the files it is; a number of metres is in metres, other units are kept."""

    value: float | None
    path: str = ""
    unit: str = "m"
    scale: float = 1.0  # of what is read at the path: metres


def number(text: str) -> float:
    """A number; underscores and words such as nan are not accepted."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in text:
        raise NotUnderstoodError(f"{text} is not a number.")
    return value


def bits(text: str) -> int:
    """Bits of a mask, 0x08 or 8."""
    try:
        return int(text, 16) if text.lower().startswith("0x") else int(number(text))
    except ValueError as error:
        raise NotUnderstoodError(f"{text} is not a bit mask such as 0x08.") from error


def is_true(text: str) -> bool:
    """true, or a number that is not 0."""
    return text.lower() == "true" or (text.lower() != "false" and number(text) != 0)


def direction(text: str) -> tuple[float, float, float]:
    """A vector such as ``-0.01x +1.0y``; a term without a number counts once."""
    compact = "".join(text.split())
    found = {"x": 0.0, "y": 0.0, "z": 0.0}
    end = 0
    for term in _TERM.finditer(compact):
        if term.start() != end or (end and term["value"][:1] not in ("+", "-")):
            break
        found[term["axis"]] += float(f"{term['value']}1" if term["value"] in ("", "+", "-") else term["value"])
        end = term.end()
    if not compact or end != len(compact):
        raise NotUnderstoodError("a direction must have the form -0.01x +1.0y +0.0z.")
    if not any(found.values()):
        raise NotUnderstoodError("this direction has zero length.")
    return found["x"], found["y"], found["z"]


def length(text: str, default_m: float) -> Quantity:
    """A length; without a unit a number is in metres, and what is read from a file in units of ``default_m``."""
    word, unit = _split(text)
    if unit and unit not in _LENGTHS_M:
        raise NotUnderstoodError(f"{unit} is not a valid unit here; lengths are in m or mm.")
    if word.startswith("/"):
        return Quantity(None, word, scale=_LENGTHS_M.get(unit, default_m))
    return Quantity(number(word) * _LENGTHS_M.get(unit, 1.0))


def energy(key: str, text: str) -> Quantity:
    """The quantity that determines the wavelength, from ``photon_energy``, ``wavelength`` or ``electron_voltage``."""
    word, unit = _split(text)
    known = _ENERGY_UNITS[key]
    if not unit and key == "photon_energy":
        unit = "eV"
    if unit not in known:
        raise NotUnderstoodError(f"{unit or 'no unit'} is not understood; {key} must be in {' or '.join(known)}.")
    if word.startswith("/"):
        return Quantity(None, word, unit)
    return Quantity(number(word), unit=unit)


def wavelength_A(value: float, unit: str) -> float:
    """Wavelength (A) of an energy or a wavelength in a unit of :func:`energy`; NaN if it makes none."""
    if not value > 0 or not math.isfinite(value):
        return math.nan
    if unit in ("m", "A"):
        return value * 1e10 if unit == "m" else value
    electronvolts = value * {"k": 1e3, "M": 1e6}.get(unit[0], 1.0)
    if unit.endswith("eV"):
        return _HC_EV_A / electronvolts
    # de Broglie, with the relativistic mass: 2 m c^2 = 1.02199790 MeV
    return 12.2642594 / math.sqrt(electronvolts * (1 + electronvolts / 1.02199790e6))


def _split(text: str) -> tuple[str, str]:
    word, unit, *_ = [*text.split(None, 1), "", ""]
    return word, unit.strip()
