"""Cases from reports of users, which are no part of the project: each comes out as its first lines say it should."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import SHARED
from foreign_words import FOREIGN

# what has to be said, in this order; cases of minutes (ice, merging, old scripts) are tested on inputs of our own
SAID = {
    "cell_vs_group": ["P43212 exit 2", "79.2 79.2 38.1 90 90 90 would fit", "P6122 exit 2", "R3 exit 2"],
    "dls_layout": ["3 images in 1 input", "integrated +3", r"chip_07\.nxs#3$"],
    "hdf5_aliases": ["processed only once", "6 images in 1 input", "integrated +6"],
    "hdf5_bitshuffle": ["ok +HDF5 filters", "integrated +2 +100 %"],
    "multipanel_distance": ["integrated +2 +100 %", "integrated +2 +100 %"],
    "nan_pixels": [r"SPOTS +(\d+),.*\nSPOTS +\1,"],
    "next_step_unread": ["failed spot finding +2", "image_import.gain"],
    "raw_reasons": [
        *("energy_only: *$", "wavelength_0: .*no usable wavelength", "wavelength_nan: .*no usable wavelength"),
        *(
            "mask_transposed: .*1043 x 981 pixels",
            "distance_0: .*distance",
            r"master: .*gone_data_000001\.h5 is missing",
        ),
    ],
    "reference_geometry": ["exit 2", "1475 x 1679 pixels", "exit 2", "4 panels of 512 x 512 pixels"],
    "too_many_spots": ["the maximum allowed is ."],
    "vds_missing": [r"looked for chip_07_000001\.h5", "failed import +3"],
    "wrong_distance": ["All cell axes are 4.3 % larger than those of the given cell", r"130\.9 mm would explain it"],
}


@pytest.mark.parametrize("case", SAID)
def test_a_case_comes_out_as_it_should(case, tmp_path):
    script = SHARED / "cases" / case / "run.sh"
    if not script.is_file():
        pytest.skip(f"the cases are not here: {script} (set IOTA_SHARED_DATA)")
    surroundings = os.environ | {"IOTA": str(Path(sys.executable).parent), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        ["bash", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=surroundings, timeout=300
    )
    pattern = r"[\s\S]*".join(f"(?:{words})" for words in SAID[case])
    assert re.search(pattern, done.stdout, re.MULTILINE), done.stdout
    reasons = re.findall(r"FAILED +(.+)", done.stdout)
    for ledger in tmp_path.rglob("frames.jsonl"):
        reasons += [json.loads(line).get("reason", "") for line in ledger.read_text().splitlines()]
    assert not [reason for reason in reasons if FOREIGN.search(reason)]
