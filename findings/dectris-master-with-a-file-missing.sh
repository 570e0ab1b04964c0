#!/usr/bin/env bash
# A DECTRIS master with one data file missing cannot be read at all.
#
# One would guess: the images in the files that exist can be read; masters that list more files than were written are common, and dxtbx
# has code to leave such links out.
# What happens: a KeyError whichever file is missing, as the copy that dxtbx makes of the master follows the link again.
# Seen with: dxtbx of DIALS 3.12.1 (Debian 12, python3-dials)
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-dials 3.12.1

seen="none missing: 6 images
data_000001 missing: KeyError
data_000002 missing: KeyError
data_000003 missing: KeyError"
came_out=$("$python" - <<'CODE'
import os

import h5py
import numpy as np
from dxtbx.model.experiment_list import ExperimentListFactory

SHAPE = (514, 1030)  # of an EIGER 500K; dxtbx wants one that exists


def write_master(stem):
    for k in (1, 2, 3):
        with h5py.File(f"{stem}_data_{k:06d}.h5", "w") as file:
            file["entry/data/data"] = np.full((2, *SHAPE), k, dtype="u2")
    with h5py.File(f"{stem}_master.h5", "w") as file:
        for name, nx_class in (
            ("entry", "NXentry"),
            ("entry/data", "NXdata"),
            ("entry/instrument", "NXinstrument"),
            ("entry/instrument/beam", "NXbeam"),
            ("entry/instrument/detector", "NXdetector"),
            ("entry/sample", "NXsample"),
        ):
            file.create_group(name).attrs["NX_class"] = np.bytes_(nx_class)
        for k in (1, 2, 3):
            file[f"entry/data/data_{k:06d}"] = h5py.ExternalLink(f"{stem}_data_{k:06d}.h5", "entry/data/data")
        detector = file["entry/instrument/detector"]
        detector["description"] = np.bytes_("Dectris EIGER 500K")
        detector["detector_number"] = np.bytes_("E-00-0000")
        detector["sensor_material"] = np.bytes_("Si")
        detector["geometry/orientation/value"] = [-1.0, 0, 0, 0, -1, 0]
        detector["geometry/translation/distances"] = [0.039, 0.019, -0.1]
        detector["detectorSpecific/countrate_correction_count_cutoff"] = 60000
        detector["bit_depth_image"] = detector["bit_depth_readout"] = 16
        detector["count_time"] = detector["frame_time"] = 0.01
        for name, metres in (("x_pixel_size", 7.5e-5), ("y_pixel_size", 7.5e-5), ("sensor_thickness", 4.5e-4)):
            detector[name] = metres
            detector[name].attrs["units"] = np.bytes_("m")
        file["entry/instrument/beam/incident_wavelength"] = 1.0
        file["entry/instrument/beam/incident_wavelength"].attrs["units"] = np.bytes_("angstrom")
        file["entry/sample/goniometer/omega_range_average"] = 0.0


for gone in (None, 1, 2, 3):
    stem = f"scan{gone}"
    write_master(stem)
    if gone:
        os.remove(f"{stem}_data_{gone:06d}.h5")
    words = f"data_{gone:06d} missing" if gone else "none missing"
    try:
        experiments = ExperimentListFactory.from_filenames([f"{stem}_master.h5"])
        print(f"{words}: {sum(len(imageset) for imageset in experiments.imagesets())} images")
    except KeyError as error:
        print(f"{words}: {type(error).__name__}")
CODE
)
compare "$seen" "$came_out"
