#!/usr/bin/env bash
# Without underload_value, the markers of gaps and bad pixels are valid counts, while saturation_value itself never is.
#
# One would guess: -1 and -2 in counts, with which detectors mark gaps and bad pixels, are never valid; a pixel at saturation_value
# could still be trusted.
# What happens: without underload_value the trusted range begins at -2147483648, so the markers are valid (as is 65535, without saturation_value);
# a pixel at saturation_value is masked.
# Seen with: dxtbx of DIALS 3.12.1 (Debian 12, python3-dials)
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-dials 3.12.1

seen="{}: good are [-2, -1, 0, 999, 1000, 65535]
{'saturation': 1000}: good are [-2, -1, 0, 999]
{'saturation': 1000, 'underload': 0}: good are [0, 999]"
came_out=$("$python" - <<'CODE'
import numpy as np
import nxmx
from dxtbx.model.experiment_list import ExperimentListFactory

values = [-2, -1, 0, 999, 1000, 65535]
images = np.zeros((1, 60, 80), dtype="i4")
images[0, 0, : len(values)] = values
for number, limits in enumerate(({}, {"saturation": 1000}, {"saturation": 1000, "underload": 0})):
    (experiment,) = ExperimentListFactory.from_filenames([nxmx.write(f"limits{number}_1.h5", images, **limits)])
    good = experiment.imageset.get_mask(0)[0].as_numpy_array()[0, : len(values)]
    print(f"{limits}: good are {[value for value, is_good in zip(values, good) if is_good]}")
CODE
)
compare "$seen" "$came_out"
