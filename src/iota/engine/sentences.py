"""DIALS' error messages as sentences with a next step."""

from __future__ import annotations

import re

_KNOWN: tuple[tuple[str, str], ...] = (
    (r"No suitable (lattice|indexing solution) (could be )?found", "No lattice explains the spots."),
    (r"RMSD too high, ([\d.]+)", "The best lattice is off the spots by {0} px (indexing.stills.rmsd_min_px)."),
    (
        r"(?:Ewald proximal volume|EPV) too high",
        "The best lattice is too mosaic (indexing.stills.ewald_proximal_volume_max).",
    ),
    (r"No experiments after filtering by sigma_b", "The spots are too wide (profile sigma_b_cutoff)."),
    (r"No reflections left after applying significance filter", "No reflection is significant (significance filter)."),
    (r"Mask sizes don'?t match|lookup mask.*(size|shape)", "The mask does not have the shape of the detector."),
)


def reason(error: BaseException) -> str:
    """One sentence on what went wrong; DIALS' own words where none is known to be plainer."""
    text = " ".join(str(error).split()) or error.__class__.__name__
    for pattern, sentence in _KNOWN:
        match = re.search(pattern, text, re.IGNORECASE)
        if match:
            return sentence.format(*_rounded(match.groups()))
    if not str(error).strip() or isinstance(error, AssertionError):
        text = f"DIALS stopped with {error.__class__.__name__}{': ' + text if str(error).strip() else ''}"
    return _as_sentence(text)


def _rounded(groups: tuple[str | None, ...]) -> list[str]:
    return [f"{float(g):.1f}" if g and re.fullmatch(r"[\d.]+", g) else (g or "") for g in groups]


def _as_sentence(text: str, longest: int = 300) -> str:
    text = text[0].upper() + text[1:]
    if len(text) > longest:
        text = text[: longest - 3].rstrip() + "..."
    return text if text.endswith((".", "!", "?")) else text + "."


def too_few_spots(n_spots: int, least: int) -> str:
    """Why triage discards a frame."""
    spots = {0: "No spot", 1: "1 spot"}.get(n_spots, f"{n_spots} spots")
    return f"{spots} found; at least {least} {'is' if least == 1 else 'are'} needed."
