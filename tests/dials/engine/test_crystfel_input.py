"""Images read by a CrystFEL geometry: the detector, pixels and lattices of NeXus, and the geometry handed on."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import LYSOZYME, command
from crystfel_files import geometry_text, write_cxi
from dxtbx.model import BeamFactory, Detector, ExperimentList

from iota.engine.backend import parameters as backend
from iota.engine.backend.hierarchy import frames_of, in_groups, levels_of
from iota.engine.exports.crystfel_geometry import geometry_of
from iota.engine.exports.crystfel_geometry import geometry_text as written_geometry
from iota.engine.images.crystfel_images import LOWEST, geometry_detector
from iota.engine.images.detector_moves import distance_mm
from iota.engine.images.image import ImportFailedError, import_frame, import_models, load_reference_geometry
from iota.engine.images.reference_detector import put_in_place
from iota.errors import BackendError
from iota.inputs.crystfel.geometry import parse_geometry, read_geometry
from iota.inputs.crystfel.groups import Level
from iota.records import FrameRef
from iota.runs import RunFolder, read_ledger
from iota.simulate.accuracy import orientation_error_deg
from iota.simulate.detector import make_detector

N = 3  # frames of each wavelength
WAVELENGTHS_A = (0.98, 1.05)
BAD = "bad_row/min_fs = 0\nbad_row/max_fs = 511\nbad_row/min_ss = {0}\nbad_row/max_ss = {0}\nbad_row/panel = q1"
GROUPS = "rigid_group_a = q0,q2\nrigid_group_b = q1,q3\nrigid_group_collection_halves = a,b"  # not side by side
LEVELS = [[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 2, 3]]
EV_A = 12398.419843


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Stills of two wavelengths on four panels: one CXI file of each layout, with geometry and list."""
    folder = tmp_path_factory.mktemp("xfel")
    pixels, masks, energies, truth = [], [], [], []
    for number, wavelength_A in enumerate(WAVELENGTHS_A):
        words = ("-n", N, "--seed", 11 + number, "--wavelength", wavelength_A, "--detector", "quads", "--format", "nxs")
        none = [word for kind in ("blank", "weak", "multi") for word in (f"--{kind}-fraction", 0)]
        done = command("iota.simulate", folder / f"w{number}", *words, *none, cwd=folder)
        assert done.returncode == 0, done.stderr
        with h5py.File(folder / f"w{number}" / "lyso_1.nxs") as file:
            pixels.append(file["entry/data/data"][()])
            masks += [file["entry/instrument/detector/pixel_mask"][()]] * N
        energies += [EV_A / wavelength_A] * N
        truth += [json.loads(line) for line in (folder / f"w{number}" / "truth_frames.jsonl").read_text().splitlines()]
    detector = make_detector("quads")
    for layout in ("slab", "modules"):
        write_cxi(folder / f"{layout}.cxi", np.concatenate(pixels), layout, 4, energies, np.array(masks))
        row = 512 + 100 if layout == "slab" else 100
        (folder / f"{layout}.geom").write_text(geometry_text(detector, layout, BAD.format(row), GROUPS))
        (folder / f"{layout}.lst").write_text("".join(f"{layout}.cxi //{k}\n" for k in range(2 * N)))
    (folder / "truth.json").write_text(json.dumps(truth))
    return folder


def imported(folder: Path, layout: str, index: int):
    params = backend.extract(f"crystfel.geometry = {folder / f'{layout}.geom'}")
    return import_frame(FrameRef(str(folder / f"{layout}.cxi"), index), params, folder / "links" / "x")[0]


def assert_same_places(one: Detector, other: Detector, mm: float):
    for a, b in zip(one, other, strict=True):
        assert a.get_image_size() == b.get_image_size()
        assert a.get_pixel_size() == pytest.approx(b.get_pixel_size(), rel=1e-6)
        for px in ((0, 0), (a.get_image_size()[0], 0), (0, a.get_image_size()[1]), a.get_image_size()):
            # of where a pixel is, without parallax
            assert a.get_lab_coord(_mm(a, px)) == pytest.approx(b.get_lab_coord(_mm(b, px)), abs=mm)


def _mm(panel, px):
    return tuple(n * size for n, size in zip(px, panel.get_pixel_size(), strict=True))


@pytest.mark.parametrize("layout", ["slab", "modules"])
def test_models_and_pixels_are_those_of_nexus(folder, layout):
    for index in (0, 2 * N - 1):
        ours = imported(folder, layout, index)
        nexus, k = folder / f"w{index // N}" / "lyso_1.nxs", index % N
        theirs = import_frame(FrameRef(str(nexus), k), backend.extract(""), folder / "links" / "y")[0]
        assert_same_places(ours.detector, theirs.detector, mm=1e-6)
        assert [level.tolist() for level in levels_of(ours.detector)] == LEVELS
        assert ours.beam.get_wavelength() == pytest.approx(theirs.beam.get_wavelength(), rel=1e-9)
        assert ours.beam.get_s0() == pytest.approx(theirs.beam.get_s0())
        assert ours.beam.get_polarization_normal() == pytest.approx(theirs.beam.get_polarization_normal())
        for number, (a, b) in enumerate(
            zip(ours.imageset.get_raw_data(0), theirs.imageset.get_raw_data(0), strict=True)
        ):
            a, b = a.as_numpy_array(), b.as_numpy_array()
            good = ours.imageset.get_mask(0)[number].as_numpy_array()
            assert np.array_equal(a[good], b[good])
            row = np.zeros_like(good)
            row[100] = number == 1  # the bad region
            expected = theirs.imageset.get_mask(0)[number].as_numpy_array() & ~row
            assert np.array_equal(good, expected)
            assert a[~good].max(initial=LOWEST - 1) < LOWEST


def test_what_is_written_is_read_back(folder):
    for path in (folder / "w0" / "lyso_1.nxs", folder / "slab.cxi"):
        params = backend.extract("" if path.suffix == ".nxs" else f"crystfel.geometry = {folder / 'slab.geom'}")
        experiment = import_models(FrameRef(str(path), 0), params, folder / "links" / "z")[0]
        text = written_geometry(geometry_of(experiment), ["data = /entry/data/data"])
        again = geometry_detector(parse_geometry(text, "again.geom"), "again.geom")
        assert_same_places(experiment.detector, again, mm=2e-6)
        levels, wanted = ([level.tolist() for level in levels_of(d)] for d in (again, experiment.detector))
        assert levels == wanted and (levels == LEVELS or path.suffix == ".nxs")


@pytest.mark.parametrize("layout", ["slab", "modules"])
def test_a_run_by_a_geometry_and_a_list(folder, layout, tmp_path):
    done = command("iota.run", folder / f"{layout}.geom", folder / f"{layout}.lst", *LYSOZYME, "-n", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    run = RunFolder(tmp_path / "integration" / "001")
    truth = json.loads((folder / "truth.json").read_text())
    results = read_ledger(run.ledger)[0]
    assert sorted(result.frame.index for result in results) == list(range(2 * N))
    for result in results:
        assert result.outcome == "integrated", result.reason
        (lattice,) = result.lattices
        known = truth[result.frame.index]["lattices"]
        assert orientation_error_deg(lattice.a_matrix, known) < 0.1
        # both wavelengths: with the other energy axes would be off by 7 %
        assert lattice.unit_cell[:3] == pytest.approx(known[0]["unit_cell"][:3], rel=4e-3)
        assert result.remarks == []
        (experiment,) = ExperimentList.from_file(str(run.path / result.files["experiments"]), check_format=False)
        assert [level.tolist() for level in levels_of(experiment.detector)] == LEVELS
    done = command("iota.export", 1, "format=crystfel+lists", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    given = (folder / f"{layout}.geom").read_text()
    exported = run.path / "export" / "001"
    assert (exported / "run.geom").read_text() == given
    stream = (exported / "run.stream").read_text()
    assert given in stream
    assert f"Image filename: {folder}/{layout}.cxi\nEvent: //4\n" in stream
    names = {line.split()[-1] for line in stream.split("Reflections measured after indexing\n")[1].splitlines()[1:50]}
    assert names <= {"q0", "q1", "q2", "q3"}
    slow = [float(line.split()[-2]) for line in stream.splitlines() if line.endswith(" q3") and line.count(".") == 6]
    assert slow and max(slow) < (2048 if layout == "slab" else 512)
    # and by what was handed over
    again = command("iota.run", exported / "run.geom", exported / "crystfel.lst", *LYSOZYME, "-n", 2, cwd=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert re.search(r"Integrated +6 of 6 hits", again.stdout)


def test_the_run_keeps_its_geometry(folder, tmp_path):
    mine = tmp_path / "mine.geom"
    text = (folder / "slab.geom").read_text()
    mine.write_text(text)
    done = command("iota.run", mine, folder / "slab.cxi", "--range", "1", *LYSOZYME, "-n", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    run = RunFolder(tmp_path / "integration" / "001")
    assert run.crystfel_geometry.read_text() == text
    mine.write_text(text.replace("clen = 150.0 mm", "clen = 50 mm"))
    first = read_ledger(run.ledger)[0]
    run.ledger.unlink()
    done = command("iota.run", "--resume", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert read_ledger(run.ledger)[0][0].lattices[0].unit_cell == pytest.approx(first[0].lattices[0].unit_cell)
    done = command("iota.run", run.script, "-n", 1, cwd=tmp_path)  # its script repeats it
    assert done.returncode == 0, done.stdout + done.stderr
    again = RunFolder(tmp_path / "integration" / "002")
    assert read_ledger(again.ledger)[0][0].n_spots == first[0].n_spots
    assert again.crystfel_geometry.read_text() == text


def test_a_detector_that_was_moved_is_handed_over_where_it_is(folder, tmp_path):
    words = ("image_import.beam_center.x=520", "image_import.beam_center.y=518")
    arguments = (folder / "modules.geom", folder / "modules.cxi", "--range", "1-2", *words, *LYSOZYME, "-n", 1)
    done = command("iota.run", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert command("iota.export", 1, "format=crystfel", cwd=tmp_path).returncode == 0
    run = RunFolder(tmp_path / "integration" / "001")
    geometry = read_geometry(run.path / "export" / "001" / "run.geom")
    result = next(result for result in read_ledger(run.ledger)[0] if result.outcome == "integrated")
    (experiment,) = ExperimentList.from_file(str(run.path / result.files["experiments"]), check_format=False)
    moved = geometry_detector(geometry, "run.geom")
    assert_same_places(moved, experiment.detector, mm=2e-6)
    before = geometry_detector(read_geometry(folder / "modules.geom"), "modules.geom")
    shift = np.subtract(moved[0].get_origin(), before[0].get_origin())
    assert 0.05 < np.linalg.norm(shift) < 0.5
    given = read_geometry(folder / "modules.geom")
    assert [p.dims for p in geometry.panels] == [p.dims for p in given.panels]
    assert geometry.bad == given.bad and geometry.wavelength == given.wavelength


def test_single_image_by_a_geometry(folder, tmp_path):
    done = command(
        "iota.single_image", folder / "slab.geom", folder / "slab.cxi", "--index", 5, *LYSOZYME, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "CELL        79." in done.stdout


def test_fractions_and_pixels_that_are_no_numbers(folder, tmp_path):
    """Corrected data of the European XFEL: float32 in units of photons, NaN where there is no value."""
    with h5py.File(folder / "modules.cxi") as file:
        pixels = file["entry_1/data_1/data"][0].reshape(2048, 512).astype("f4")
        mask = file["entry_1/data_1/mask"][0].reshape(2048, 512)
        energy = file["LCLS/photon_energy_eV"][0]
    rng = np.random.default_rng(1)
    gone = rng.random(pixels.shape) < 0.002
    pixels[gone | (mask != 0)] = np.nan
    write_cxi(tmp_path / "modules.cxi", pixels[None], "modules", 4, [energy], np.zeros_like(mask))
    (tmp_path / "modules.geom").write_text((folder / "modules.geom").read_text())
    frame = imported(tmp_path, "modules", 0)
    good = np.concatenate([mask.as_numpy_array() for mask in frame.imageset.get_mask(0)])
    row = np.zeros_like(good)
    row[612] = True
    assert np.array_equal(good, np.isfinite(pixels) & ~row)
    counted = []
    for where in (folder, tmp_path):
        words = (where / "modules.geom", where / "modules.cxi", "--action", "spotfind", "--json")
        done = command("iota.single_image", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        counted.append(json.loads(done.stdout)["n_spots"])
    assert counted[0] > 50 and counted[1] == pytest.approx(counted[0], rel=0.1)


def test_what_a_file_lacks_is_a_sentence(folder, tmp_path):
    params = backend.extract(f"crystfel.geometry = {folder / 'slab.geom'}")
    broken = tmp_path / "broken.cxi"
    broken.write_bytes((folder / "slab.cxi").read_bytes())
    with h5py.File(broken, "a") as file:
        file["LCLS/photon_energy_eV"][1] = 0
        del file["entry_1/data_1/mask"]
    with pytest.raises(ImportFailedError, match="photon_energy_eV is 0 eV for this image"):
        import_models(FrameRef(str(broken), 1), params, tmp_path / "x")
    with pytest.raises(ImportFailedError, match="The file has no /entry_1/data_1/mask"):
        import_frame(FrameRef(str(broken), 0), params, tmp_path / "x")
    with h5py.File(broken, "a") as file:
        file["entry_1/data_1/mask"] = np.ones(file["entry_1/data_1/data"].shape, "u2")
        file["LCLS/z"] = np.nan
    with pytest.raises(ImportFailedError, match="Every pixel of this image is masked by the geometry"):
        import_frame(FrameRef(str(broken), 0), params, tmp_path / "x")
    lines = (folder / "slab.geom").read_text().splitlines()
    (tmp_path / "z.geom").write_text(  # with the mark that Windows puts first
        "\n".join(
            ["\ufeff; of a detector that moves"] + ["clen = /LCLS/z" if "clen" in line else line for line in lines]
        )
    )
    elsewhere = backend.extract(f"crystfel.geometry = {tmp_path / 'z.geom'}")
    with pytest.raises(ImportFailedError, match="/LCLS/z, where the geometry expects a length, is not a number"):
        import_models(FrameRef(str(broken), 0), elsewhere, tmp_path / "x")
    (tmp_path / "torn.cxi").write_bytes(broken.read_bytes()[:5000])
    with pytest.raises(ImportFailedError, match="The file is damaged or cut short: HDF5 cannot open it"):
        import_models(FrameRef(str(tmp_path / "torn.cxi"), 0), params, tmp_path / "x")
    with pytest.raises(ImportFailedError, match="contains only 6 images"):
        import_models(FrameRef(str(broken), 6), params, tmp_path / "x")
    with pytest.raises(ImportFailedError, match=r"This is a CXI file, which .* give a CrystFEL geometry"):
        import_models(FrameRef(str(broken), 0), backend.extract(""), tmp_path / "x")


def test_a_geometry_as_reference_geometry(folder, tmp_path):
    """The detector alone, for images that DIALS reads by itself."""
    moved = tmp_path / "moved.geom"
    moved.write_text((folder / "slab.geom").read_text().replace("clen = 150.0 mm", "clen = 0.151"))
    params = backend.extract(f"input.reference_geometry = {moved}")
    reference = load_reference_geometry(str(moved))
    experiment = import_models(FrameRef(str(folder / "w0" / "lyso_1.nxs"), 0), params, tmp_path / "x", reference)[0]
    assert_same_places(experiment.detector, reference, mm=1e-6)
    assert experiment.detector[0].get_origin()[2] == pytest.approx(-150.9, abs=0.2)
    moved.write_text((folder / "slab.geom").read_text().replace("clen = 150.0 mm", "clen = /LCLS/z"))
    with pytest.raises(BackendError, match="takes the distance from the image files"):
        load_reference_geometry(str(moved))


def test_a_reference_whose_groups_hold_other_panels_moves_each_panel_to_its_own_place(folder):
    reference = load_reference_geometry(str(folder / "slab.geom"))
    side_by_side = Level((0, 0, 1, 1), ("left", "right"))  # of the same shape as the groups of the reference
    detector = in_groups([copy.deepcopy(panel) for panel in reference], [side_by_side])
    detector.hierarchy().set_frame((1, 0, 0), (0, 1, 0), (0, 0, -3))
    detector.hierarchy()[0].set_frame((1, 0, 0), (0, 1, 0), (0, 0, -153))
    put_in_place(reference, detector)
    assert_same_places(detector, reference, mm=1e-9)


def test_a_distance_that_is_counted_from_a_group_is_that_of_the_reference(folder):
    reference = load_reference_geometry(str(folder / "slab.geom"))
    detector = in_groups([copy.deepcopy(panel) for panel in reference], [Level((0, 0, 0, 1), ("three", "one"))])
    detector.hierarchy().set_frame((1, 0, 0), (0, 1, 0), (0, 0, -150))
    for panel, place in zip(detector, frames_of(reference), strict=True):
        panel.set_frame(*place)
    detector.hierarchy().set_frame((1, 0, 0), (0, 1, 0), (0, 0, -153))  # all move by 3 mm
    beam = BeamFactory.simple(1.0)
    assert distance_mm(detector, beam) == 153
    put_in_place(reference, detector)
    assert_same_places(detector, reference, mm=1e-9)
    assert distance_mm(detector, beam) == pytest.approx(150)
