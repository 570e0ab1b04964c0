"""Simulated diffraction stills with known truth, for tests, benchmarks and tutorials.

    experiment = Experiment(detector=make_detector("1m"), seed=7)
    counts, truth = simulate_frame(experiment, 0)
    write_dataset(Path("stills"), experiment, 36)

The nouns: an *experiment* holds all settings; a *crystal* is a form (cell, space group, order), a *lattice* one crystal
of a form in the beam; a *frame* has any number of lattices.
"""

from iota.simulate.accuracy import FoundLattice, merge, orientation_error_deg
from iota.simulate.background import BeamStop
from iota.simulate.dataset import FORMATS, Dataset, write_dataset
from iota.simulate.detector import DETECTORS, Detector, Panel, make_detector
from iota.simulate.diffraction import Beam
from iota.simulate.experiment import Crystal, Defects, Experiment, Frames
from iota.simulate.frames import simulate_frame
from iota.simulate.geometry_accuracy import GeometryAccuracy, geometry_accuracy
from iota.simulate.intensities import Reflections, draw_intensities
from iota.simulate.recipes import TUTORIAL_FRAMES, tutorial
from iota.simulate.spots import SpotShape
from iota.simulate.truth import FrameTruth, LatticeTruth, read_detector, read_frames, read_intensities
from iota.simulate.wrong_geometry import GeometryErrors, misstated

__all__ = [
    "DETECTORS",
    "FORMATS",
    "TUTORIAL_FRAMES",
    "Beam",
    "BeamStop",
    "Crystal",
    "Dataset",
    "Defects",
    "Detector",
    "Experiment",
    "FoundLattice",
    "FrameTruth",
    "Frames",
    "GeometryAccuracy",
    "GeometryErrors",
    "LatticeTruth",
    "Panel",
    "Reflections",
    "SpotShape",
    "draw_intensities",
    "geometry_accuracy",
    "make_detector",
    "merge",
    "misstated",
    "orientation_error_deg",
    "read_detector",
    "read_frames",
    "read_intensities",
    "simulate_frame",
    "tutorial",
    "write_dataset",
]
