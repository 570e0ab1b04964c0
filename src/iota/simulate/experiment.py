"""Settings of a simulated experiment; together with a seed they determine every pixel."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from iota.errors import UsageError
from iota.simulate.background import BeamStop
from iota.simulate.detector import Detector, make_detector
from iota.simulate.diffraction import Beam
from iota.simulate.spots import SpotShape

LYSOZYME_CELL = (79.2, 79.2, 38.1, 90.0, 90.0, 90.0)
SMALLEST_D_MIN_A = 1.2


@dataclass(frozen=True)
class Crystal:
    """A crystal form: cell (A, degrees), space group, order of its crystals and its share among all crystals.

    ``mosaic_deg`` is the standard deviation of the orientations of domains, ``domain_size_A`` their size,
    ``cell_spread`` the relative standard deviation of the axes from crystal to crystal. ``d_min_A`` is where
    reflections end; None takes them to the corner of the detector, 1.2 A at most. ``like`` names another form, whose
    intensities this one has too: a distorted cell of the same crystal.
    """

    name: str = "lyso"
    unit_cell: tuple[float, ...] = LYSOZYME_CELL
    space_group: str = "P43212"
    b_factor_A2: float = 20.0
    mosaic_deg: float = 0.06
    domain_size_A: float = 1000.0
    cell_spread: float = 0.001
    share: float = 1.0
    d_min_A: float | None = None
    like: str | None = None


@dataclass(frozen=True)
class Frames:
    """What varies from frame to frame.

    ``brightness`` is the number of photons in an average, fully recorded reflection at 4 A of a crystal of scale 1; the
    logarithms of the scales of crystals have the standard deviation ``scale_spread``; weak frames are fainter by a
    factor between the two of ``weak_scale``. ``background`` is the mean number of photons a pixel.
    """

    brightness: float = 1500.0
    scale_spread: float = 0.4
    b_spread_A2: float = 2.0
    background: float = 4.0
    background_spread: float = 0.1
    solvent_part: float = 0.65
    blank_fraction: float = 0.2
    weak_fraction: float = 0.1
    weak_scale: tuple[float, float] = (0.004, 0.02)
    multi_fraction: float = 0.1


@dataclass(frozen=True)
class Defects:
    """Bad pixels per million: ``dead`` ones are marked as such in the data, ``hot`` ones count and are not marked."""

    dead_per_million: float = 100.0
    hot_per_million: float = 3.0


@dataclass(frozen=True)
class Experiment:
    """All settings. Frame number k (from 0) of an experiment is the same however many frames are made.

    ``detector`` is where the panels are, and ``header`` where the files say they are; None: they say the truth. During
    the experiment the detector moves away from the sample by ``drift_mm_per_frame``, which the files do not say.
    """

    crystals: tuple[Crystal, ...] = (Crystal(),)
    detector: Detector = field(default_factory=make_detector)
    beam: Beam = field(default_factory=Beam)
    frames: Frames = field(default_factory=Frames)
    stop: BeamStop = field(default_factory=BeamStop)
    shape: SpotShape = field(default_factory=SpotShape)
    defects: Defects = field(default_factory=Defects)
    seed: int = 1
    header: Detector | None = None
    drift_mm_per_frame: float = 0.0

    def __post_init__(self) -> None:
        """Refuse settings without a meaning."""
        for complaint in _complaints(self):
            raise UsageError(complaint)

    @property
    def stated_detector(self) -> Detector:
        """The detector as the headers of the files describe it."""
        return self.detector if self.header is None else self.header

    def detector_at(self, index: int) -> Detector:
        """Where the panels are on frame ``index`` (from 0)."""
        drift_mm = index * self.drift_mm_per_frame
        return self.detector.shifted(0.0, 0.0, drift_mm) if drift_mm else self.detector

    def d_min_A(self, crystal: Crystal) -> float:
        """Resolution to which reflections of ``crystal`` are made."""
        reach = max(self.detector.d_min_A(self.beam.wavelength_A), SMALLEST_D_MIN_A)
        return reach if crystal.d_min_A is None else max(reach, crystal.d_min_A)


def _complaints(experiment: Experiment) -> list[str]:
    """Sentences about settings that cannot be simulated."""
    frames, beam = experiment.frames, experiment.beam
    fractions = {
        "blank fraction": frames.blank_fraction,
        "weak fraction": frames.weak_fraction,
        "fraction of frames with several lattices": frames.multi_fraction,
        "polarised fraction": beam.polarisation_fraction,
    }
    found = [f"The {name} is {x:g}; give a number from 0 to 1." for name, x in fractions.items() if not 0 <= x <= 1]
    if frames.blank_fraction + frames.weak_fraction > 1:
        found.append("Blank and weak frames together are more than all frames; lower one of the two fractions.")
    positive = {"wavelength (A)": beam.wavelength_A}
    not_negative = {
        "bandwidth": beam.bandwidth_fwhm,
        "background (photons per pixel)": frames.background,
        "brightness (photons per spot)": frames.brightness,
        "seed": experiment.seed,
    }
    for crystal in experiment.crystals:
        positive["domain size (A)"] = min(crystal.domain_size_A, positive.get("domain size (A)", crystal.domain_size_A))
        positive["fraction of a crystal form"] = min(
            crystal.share, positive.get("fraction of a crystal form", crystal.share)
        )
        not_negative["mosaic spread (degrees)"] = min(
            crystal.mosaic_deg, not_negative.get("mosaic spread (degrees)", crystal.mosaic_deg)
        )
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", crystal.name):
            found.append(f"The name {crystal.name!r} is to begin file names; use letters, digits, _ . and - only.")
        if len(crystal.unit_cell) != 6:
            found.append(f"A unit cell has 6 numbers, not {len(crystal.unit_cell)}: a,b,c,alpha,beta,gamma.")
    found += [f"The {name} is {x:g}; give a number above 0." for name, x in positive.items() if not x > 0]
    found += [f"The {name} is {x:g}; give 0 or more." for name, x in not_negative.items() if not x >= 0]
    drawn = {crystal.name for crystal in experiment.crystals if crystal.like is None}
    found += [
        f"The form {crystal.name} is to be like {crystal.like}, which is not among the forms with intensities."
        for crystal in experiment.crystals
        if crystal.like is not None and crystal.like not in drawn
    ]
    if [panel.size_px for panel in experiment.detector.panels] != [
        panel.size_px for panel in experiment.stated_detector.panels
    ]:
        found.append("The headers describe other panels than the detector has; give the same panels in other places.")
    if not np.isfinite(experiment.drift_mm_per_frame):
        found.append(f"The drift is {experiment.drift_mm_per_frame:g} mm per frame; give a number such as 0.001.")
    if not experiment.crystals:
        found.append("There is no crystal form to simulate; give at least one.")
    return found
