"""Files of facilities that are not read as they are: what is said of them, once for a folder."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from iota.inputs import find_frames

PIXELS = np.zeros((2, 64, 64), "u2")


def module_file(file: h5py.File, source: str, data: np.ndarray) -> None:
    """The skeleton of a file of the European XFEL."""
    file[f"INSTRUMENT/{source}/image/data"] = data
    file[f"INDEX/{source}/image/count"] = np.ones(2)
    file["METADATA/root"] = np.zeros(1)


def texts(*sources: Path) -> list[str]:
    found = find_frames(sources)
    assert not found.frames
    return [problem.text for problem in found.problems]


def test_module_files_of_the_european_xfel_are_named_once_for_a_folder(tmp_path):
    for k in range(16):
        with h5py.File(tmp_path / f"CORR-R0001-AGIPD{k:02d}-S00000.h5", "w") as file:
            module_file(file, f"SPB_DET_AGIPD1M-1/CORR/{k}CH0:output", np.zeros((2, 512, 128), "f4"))
    with h5py.File(tmp_path / "CORR-R0001-DA01-S00000.h5", "w") as file:
        file["INDEX/trainId"], file["CONTROL/SA1/x"] = np.ones(2), 1.0
        file.create_group("INSTRUMENT")
    modules, other = texts(tmp_path)
    assert modules.startswith(
        f"{tmp_path}: 16 detector module files from the European XFEL, such as CORR-R0001-AGIPD00"
    )
    assert "extra-data-make-virtual-cxi RUN_FOLDER" in modules and "iota.run detector.geom run.cxi" in modules
    assert other.startswith(
        f"{tmp_path}/CORR-R0001-DA01-S00000.h5: it is a file from the European XFEL without detector"
    )


def test_raw_modules_are_to_be_calibrated(tmp_path):
    with h5py.File(tmp_path / "RAW-R0001-AGIPD00-S00000.h5", "w") as file:
        module_file(file, "SPB_DET_AGIPD1M-1/DET/0CH0:xtdf", np.zeros((2, 2, 512, 128), "u2"))
    with h5py.File(tmp_path / "raw.cxi", "w") as file:
        file["entry_1/instrument_1/detector_1/data"] = np.zeros((1, 16, 2, 512, 128), "u2")
    module, cxi = texts(tmp_path)
    assert "with raw data: calibrate them first" in module
    assert "a CXI file of raw AGIPD data" in cxi and "calibrate first" in cxi


@pytest.mark.parametrize(
    ("datasets", "said"),
    [
        (
            {"entry_1/data_1/data": PIXELS, "cxi_version": 140},
            "a CXI file, which does not give the positions of the detector panels",
        ),
        ({"data/data": PIXELS[0], "LCLS/photon_energy_eV": [9e3]}, "an HDF5 file from Cheetah, which does not give"),
        ({"data/JF06T08V03/data": PIXELS, "general/user": 1}, "a Jungfrau file from SwissFEL"),
        ({"entry_0000/measurement/data": PIXELS}, "from LImA (ESRF), which .* data = /entry_0000/measurement/data"),
        ({"1.1/measurement/eiger": PIXELS}, "an HDF5 file from Bliss (ESRF): give the detector files"),
        ({"R0042/scan_dat/raymx_data": PIXELS}, "PAL-XFEL.* wavelength = /R0042/scan_dat/photon_wavelength A"),
        ({"measured/frames": PIXELS}, "an HDF5 file with images but without a description .* data = /measured/frames"),
        ({"a/b": np.zeros(5)}, "it is an HDF5 file without images: looked in entry/data"),
    ],
)
def test_what_is_said_of_hdf5_files(tmp_path, datasets, said):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for name, values in datasets.items():
            file[name] = values
    (text,) = texts(tmp_path / "x.h5")
    before, _, after = said.partition(".*")
    assert before.strip() in text and after.strip() in text
    if "without images" not in said and "Bliss" not in said:
        assert "iota.run detector.geom FILE" in text


def test_files_that_only_their_name_tells(tmp_path):
    for name in ("a.xtc", "b.xtc2", "c.tvips", "d.txt"):
        (tmp_path / name).write_bytes(b"\0" * 64)
    two, movie = texts(tmp_path)
    assert "2 raw data of LCLS (XTC), such as a.xtc" in two
    assert movie.startswith(f"{tmp_path}/c.tvips: it is a movie from a TVIPS camera: convert it")
    (one,) = texts(tmp_path / "c.tvips")
    assert one == movie
