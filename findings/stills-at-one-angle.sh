#!/usr/bin/env bash
# Stills at one goniometer angle are read as one image.
#
# One would guess: an NXmx file with five images and one goniometer angle, as with chips and jets, holds five stills.
# What happens: the length of the axis is taken as the number of images. Without an angle, or with one for each image, there are
# five. The other four can still be read by number.
# Seen with: dxtbx of DIALS 3.12.1 (Debian 12, python3-dials)
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-dials 3.12.1

seen="no angle: 5 experiments
five angles: 5 experiments
one angle: 1 experiments
sum of the fifth image: 24000"
came_out=$("$python" - <<'CODE'
import dxtbx
import numpy as np
import nxmx
from dxtbx.model.experiment_list import ExperimentListFactory

images = np.full((5, 60, 80), 1, dtype="u2") * np.arange(1, 6, dtype="u2")[:, None, None]
for words, angles in (("no angle", None), ("five angles", [0.0] * 5), ("one angle", [0.0])):
    path = nxmx.write(f"{words.replace(' ', '_')}_1.h5", images, angles=angles)
    print(f"{words}: {len(ExperimentListFactory.from_filenames([path]))} experiments")
print("sum of the fifth image:", int(dxtbx.load(path).get_raw_data(4)[0].as_numpy_array().sum()))
CODE
)
compare "$seen" "$came_out"
