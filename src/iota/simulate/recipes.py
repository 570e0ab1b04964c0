"""Named settings of simulated data sets."""

from __future__ import annotations

from iota.simulate.background import BeamStop
from iota.simulate.experiment import LYSOZYME_CELL, Crystal, Experiment, Frames

TUTORIAL_FRAMES = 324
# A fifth of the crystals have lost the fourfold axis: a and b differ, as in crystals that dry.
PSEUDO_ORTHORHOMBIC_CELL = (77.2, 81.2, 38.1, 90.0, 90.0, 90.0)


def tutorial() -> Experiment:
    """Lysozyme as in the tutorial: blanks, weak frames, several lattices, two forms, glare around the beamstop."""
    tetragonal = Crystal(name="lyso", unit_cell=LYSOZYME_CELL, space_group="P43212", share=0.8)
    pseudo = Crystal(
        name="lyso_ortho", unit_cell=PSEUDO_ORTHORHOMBIC_CELL, space_group="P212121", share=0.2, like="lyso"
    )
    return Experiment(
        crystals=(tetragonal, pseudo),
        frames=Frames(blank_fraction=0.14, weak_fraction=0.08, multi_fraction=0.12),
        stop=BeamStop(n_specks=40),
        seed=324,
    )
