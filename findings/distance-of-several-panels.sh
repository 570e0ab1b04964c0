#!/usr/bin/env bash
# The distance of a multi-panel detector cannot be changed.
#
# One would guess: dials.import geometry.detector.distance=150 moves the whole detector along the beam, however many panels it has.
# What happens: with one panel it does; with two it ends in an AssertionError without a message.
# Seen with: DIALS 3.12.1 (Debian 12, python3-dials)
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-dials 3.12.1

seen="1 panel: distance 150.0 mm
2 panels: AssertionError, text: ''"
came_out=$("$python" - <<'CODE'
import libtbx.phil
import numpy as np
import nxmx
from dials.command_line.dials_import import ManualGeometryUpdater, phil_scope
from dxtbx.model.experiment_list import ExperimentListFactory

given = phil_scope.fetch(libtbx.phil.parse("geometry.detector.distance = 150")).extract()
for words, n_modules in (("1 panel", 1), ("2 panels", 2)):
    path = nxmx.write(f"panels{n_modules}_1.h5", np.ones((1, 60, 80), dtype="u2"), n_modules=n_modules)
    imageset = ExperimentListFactory.from_filenames([path]).imagesets()[0]
    try:
        detector = ManualGeometryUpdater(given)(imageset).get_detector()
        print(f"{words}: distance {detector[0].get_distance():.1f} mm")
    except AssertionError as error:
        print(f"{words}: AssertionError, text: {str(error)!r}")
CODE
)
compare "$seen" "$came_out"
