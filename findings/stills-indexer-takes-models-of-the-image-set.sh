#!/usr/bin/env bash
# The stills indexer fits its candidates with beam and detector of the image set, whatever the experiment has.
#
# One would guess: a detector that is put into an experiment is the one with which DIALS indexes it.
# What happens: spots are mapped to reciprocal space with the detector of the experiment, but the experiments with which
#   the stills indexer refines and compares candidate lattices are made from the models of the image set. Where these
#   differ, by a beam centre corrected in memory for instance, the right candidate is fitted in the old geometry.
# Seen with: DIALS 3.12.1 (Debian 12); 3.30 has the same code
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-dials 3.12.1

seen='distance of the experiment 110.0, of the image set 100.0, of the candidates 100.0'
came_out=$("$python" - <<'CODE'
from types import SimpleNamespace

from dials.algorithms.indexing.stills_indexer import StillsIndexer
from dxtbx.imageset import ImageSet, ImageSetData, MemReader
from dxtbx.model import BeamFactory, Detector, Experiment, ExperimentList


def detector(distance):
    made = Detector()
    panel = made.add_panel()
    panel.set_frame((1, 0, 0), (0, -1, 0), (-20, 20, -distance))
    return made


imageset = ImageSet(ImageSetData(MemReader([None]), None))
beam = BeamFactory.make_beam(sample_to_source=(0, 0, 1), wavelength=1.0)
imageset.set_beam(beam)
imageset.set_detector(detector(100.0))
experiment = Experiment(imageset=imageset, beam=beam, detector=detector(110.0))
indexer = SimpleNamespace(experiments=ExperimentList([experiment]))
(candidate,) = StillsIndexer.experiment_list_for_crystal(indexer, None)
distances = [
    found[0].get_distance() for found in (experiment.detector, imageset.get_detector(), candidate.detector)
]
print("distance of the experiment {}, of the image set {}, of the candidates {}".format(*distances))
CODE
)
compare "$seen" "$came_out"
