"""CrystFEL geometries, the events of files by them, and lists that name events."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from crystfel_files import DATA, geometry_text, write_cxi

from iota.engine.images.crystfel_pixels import EventReader, NotThereError, value_of
from iota.errors import InputError, UsageError
from iota.inputs import Watcher, find_frames
from iota.inputs.crystfel.events import Event, events_of, read_event_map, split_event
from iota.inputs.crystfel.geometry import BadRegion, Flag, Mask, parse_geometry, self_contained, split_geometry
from iota.inputs.crystfel.values import Quantity, direction, wavelength_A
from iota.records import FrameRef
from iota.simulate.detector import make_detector

HEAD = "photon_energy = 9500\nclen = 0.1\nres = 10000\n"
PANEL = """
{0}/min_fs = 0
{0}/max_fs = 9
{0}/min_ss = {1}
{0}/max_ss = {2}
{0}/corner_x = -5
{0}/corner_y = {1}
{0}/fs = x
{0}/ss = +y
"""


def geometry(text: str, path: str = "/geometries/a.geom"):
    return parse_geometry(text, path)


def two_panels(before: str = "", between: str = "", after: str = ""):
    return geometry(HEAD + before + PANEL.format("p", 0, 3) + between + PANEL.format("q", 4, 11) + after)


@pytest.mark.parametrize(
    ("text", "vector"),
    [
        ("x", (1, 0, 0)),
        ("-y", (0, -1, 0)),  # cfel_fmt 2.2 reads (1, -1, 0)
        ("+0.01x -1.0y", (0.01, -1, 0)),
        ("-0.5x+0.866025y-0.001z", (-0.5, 0.866025, -0.001)),
        ("1.0e-3x +1y", (0.001, 1, 0)),
    ],
)
def test_directions(text, vector):
    assert direction(text) == pytest.approx(vector)


def test_a_default_holds_for_the_panels_that_are_named_after_it():
    found = two_panels("adu_per_eV = 0.1\ncoffset = 0.001\n", "adu_per_photon = 2\nmax_adu = 7000\n")
    first, second = found.panels
    assert (first.adu_per_eV, first.adu_per_photon, first.max_adu) == (0.1, None, None)
    assert (second.adu_per_photon, second.max_adu) == (2, 7000)
    assert first.coffset_m == second.coffset_m == 0.001
    assert first.size == (10, 4) and second.size == (10, 8) and second.corner_px == (-5, 4)
    assert first.data == "/data/data" and first.dims == ("ss", "fs")
    assert found.camera_length_m == 0.1


@pytest.mark.parametrize(
    ("line", "wanted_A"),
    [
        ("photon_energy = 12398.42", 1.0),
        ("photon_energy = 12.39842 keV", 1.0),
        ("wavelength = 1.5 A", 1.5),
        ("wavelength = 1.5e-10 m", 1.5),
        ("electron_voltage = 200 kV", 0.0250793),  # the value of every textbook of electron microscopy
    ],
)
def test_wavelengths(line, wanted_A):
    quantity = geometry(HEAD.replace("photon_energy = 9500", line) + PANEL.format("p", 0, 3)).wavelength
    assert wavelength_A(quantity.value, quantity.unit) == pytest.approx(wanted_A, rel=1e-5)


@pytest.mark.parametrize(
    ("value", "quantity"),
    [
        ("0.08", Quantity(0.08)),
        ("80 mm", Quantity(0.08)),
        ("80\tmm", Quantity(0.08)),
        ("/LCLS/z", Quantity(None, "/LCLS/z", scale=1e-3)),  # without a unit, what is in files is in mm
        ("/LCLS/z m", Quantity(None, "/LCLS/z", scale=1.0)),
    ],
)
def test_a_distance_is_a_number_or_in_the_files(value, quantity):
    found = geometry(HEAD.replace("clen = 0.1", f"clen = {value}") + PANEL.format("p", 0, 3))
    assert found.clen == quantity
    assert found.camera_length_m == quantity.value


def test_masks_flags_and_bad_regions():
    found = two_panels(
        "mask = /m\nmask_good = 0x0\nmask_bad = 0xff\nmask1_data = /n\nmask1_goodbits = 2\nflag_lessthan = -5\n"
        "flag_equal = 65535\nno_index = 0\n",
        "",
        "q/no_index = true\nbad_a/min_fs = 1\nbad_a/max_fs = 2\nbad_a/min_ss = 4\nbad_a/max_ss = 5\nbad_a/panel = q\n"
        "badbeam/min_x = -1\nbadbeam/max_x = 1.5\nbadbeam/min_y = -1\nbadbeam/max_y = 3\nrigid_group_q0 = p,q\n"
        "peak_list = /peaks\n",
    )
    assert found.panels[0].masks == (Mask("/m", "", 0, 255), Mask("/n", "", 2, 0))
    assert found.panels[0].flags == (Flag("lessthan", -5), Flag("equal", 65535))
    assert [panel.no_index for panel in found.panels] == [False, True]
    assert found.bad == (BadRegion("bad_a", "q", (1, 4), (2, 5)), BadRegion("badbeam", "", (-1, -1), (1.5, 3)))
    assert found.unused == ("peak_list",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "describes no panel"),
        (PANEL.format("p", 0, 3), "res"),
        ("res = 1e4\n" + PANEL.format("p", 0, 3), "does not give the distance, clen"),
        (HEAD + PANEL.format("p", 0, 3).replace("p/ss = +y\n", ""), "panel p has no ss"),
        (HEAD + PANEL.format("p", 0, 3) + "p/fs = 1w", "line 13, p/fs = 1w: a direction must have"),
        (HEAD + "wavelength = 1.5\n", "no unit is not understood; wavelength must be in m or A"),
        (HEAD + "clen = 1 cm\n", "lengths are in m or mm"),
        (
            HEAD + "dim0 = %\n" + PANEL.format("p", 0, 3),
            "all dimensions from dim0 on are needed, with ss and fs once, ss first",
        ),
        (HEAD + "dim0 = fs\ndim1 = ss\n" + PANEL.format("p", 0, 3), "ss first"),
        (HEAD + PANEL.format("p", 0, 3) + "bad/min_fs = 1\n", "bad needs"),
        (HEAD + PANEL.format("p", 4, 3), "panel p has no pixels"),
        ("just some text", "line 1"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text, said):
    with pytest.raises(UsageError, match=r"^The CrystFEL geometry /geometries/a.geom") as raised:
        geometry(text)
    assert said in str(raised.value)


def test_a_copy_elsewhere_names_the_same_files(tmp_path):
    (tmp_path / "mask.h5").touch()
    text = self_contained(HEAD + "mask_file = mask.h5 ; made by hand\nmask = /m\n" + PANEL.format("p", 0, 3), tmp_path)
    assert f"mask_file = {tmp_path}/mask.h5 ; made by hand\n" in text
    assert geometry(text).panels[0].masks[0].file == str(tmp_path / "mask.h5")
    assert geometry(self_contained(text, Path("/elsewhere"))).panels[0].masks[0].file == str(tmp_path / "mask.h5")


def test_one_geometry_a_run(tmp_path):
    good = tmp_path / "a.geom"
    good.write_text(HEAD + PANEL.format("p", 0, 3))
    assert split_geometry(["/x.cxi", str(good)]) == (str(good), ["/x.cxi"])
    assert split_geometry(["/x.cxi"], str(good)) == (str(good), ["/x.cxi"])
    assert split_geometry([str(good)], str(good)) == (str(good), [])
    with pytest.raises(UsageError, match="one CrystFEL geometry"):
        split_geometry([str(good), "b.geom"])
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        split_geometry(["b.geom"])


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("/data/a.cxi //3", Event((), (3,))),
        ("/data/a.cxi entry//3", Event(("entry",), (3,))),
        ("/a b/c.h5 e1/e2//", Event(("e1", "e2"), ())),
        ("/data/a.cxi //3/7", Event((), (3, 7))),
        ("/data/a.h5 //", None),
        ("/data//a.h5", None),
        ("my dir//a.h5", None),
    ],
)
def test_lines_of_lists_for_crystfel(line, event):
    path, found = split_event(line)
    assert found == event
    assert path.endswith((".cxi", ".h5")) and (event is None or f"{path} {found}" == line)


@pytest.fixture
def grouped(tmp_path) -> Path:
    """A file of events in several groups, each a stack, and a geometry for it."""
    with h5py.File(tmp_path / "g.h5", "w") as file:
        for k, n in (("b", 2), ("a", 3), ("c", 1)):
            file[f"shots/run_{k}/data"] = np.full((n, 12, 10), ord(k))
            file[f"shots/run_{k}/energy"] = 9000.0 + np.arange(n)
        file["shots/run_none/other"] = 1
    text = HEAD.replace("9500", "/shots/run_%/energy eV") + "data = /shots/run_%/data\ndim0 = %\ndim1 = ss\ndim2 = fs\n"
    (tmp_path / "g.geom").write_text(text + PANEL.format("p", 0, 3) + PANEL.format("q", 4, 11))
    return tmp_path


def test_events_are_numbered_by_path_then_by_index(grouped):
    found = geometry((grouped / "g.geom").read_text())
    with h5py.File(grouped / "g.h5") as file:
        events = events_of(file, found)
        assert [str(events[k]) for k in range(len(events))] == ["a//0", "a//1", "a//2", "b//0", "b//1", "c//0"]
        assert [events.number(events[k]) for k in range(6)] == list(range(6))
        assert events.number(Event(("b",), (2,))) is None and events.number(Event(("z",), (0,))) is None
        panels = list(EventReader(found).panels(file, events[4]))
        assert [pixels.shape for pixels, _, _ in panels] == [(4, 10), (8, 10)]
        assert all((pixels == ord("b")).all() and not bad.any() for pixels, bad, _ in panels)
        assert value_of(file, found.wavelength, events[4]) == 9001.0


def test_a_list_names_events(grouped):
    (grouped / "some.lst").write_text("g.h5 b//1\ng.h5 a//0\ng.h5 b//7\n")
    found = find_frames([grouped / "some.lst", grouped / "g.geom"])
    path = str(grouped / "g.h5")
    assert found.frames == [FrameRef(path, 4), FrameRef(path, 0)]
    assert [problem.text for problem in found.problems] == ["g.h5 b//7: the file has no event b//7."]
    assert [source.kind for source in found.sources] == ["list", "geometry"]
    without = find_frames([grouped / "some.lst"])
    assert not without.frames and "a CrystFEL geometry is needed" in without.problems[0].text


def test_a_folder_with_a_geometry(grouped):
    with h5py.File(grouped / "other.h5", "w") as file:
        file["x"] = 1
    found = find_frames([grouped], geometry=str(grouped / "g.geom"))
    assert [frame.index for frame in found.frames] == list(range(6))
    (problem,) = found.problems
    assert problem.path == str(grouped / "other.h5")
    assert "it has no dataset /shots/run_%/data" in problem.text
    without = find_frames([grouped / "g.h5"])
    assert not without.frames and "it is an HDF5 file" in without.problems[0].text


def test_more_events_than_any_file_has_cost_nothing(grouped):
    with h5py.File(grouped / "g.h5", "a") as file:
        file.create_dataset("shots/run_d/data", (10**9, 12, 10), "u2", chunks=(1, 12, 10))
    found = find_frames([grouped / "g.h5"], geometry=str(grouped / "g.geom"))
    assert not found.frames
    assert "it claims to hold 1,000,000,006 images" in found.problems[0].text


def test_images_that_grow_are_found_by_a_geometry(tmp_path):
    (tmp_path / "g.geom").write_text(HEAD + "data = /shots\ndim0 = %\ndim1 = ss\ndim2 = fs\n" + PANEL.format("p", 0, 3))
    watcher = Watcher([tmp_path], settle_s=0.25, rest_s=30, budget_s=10, geometry=str(tmp_path / "g.geom"))
    found: list[FrameRef] = []
    for k in range(1, 4):
        with h5py.File(tmp_path / "g.cxi", "a") as file:
            if k == 1:
                file.create_dataset("shots", shape=(3, 4, 10), chunks=(1, 4, 10), dtype="i4")
            file["shots"][k - 1] = k  # HDF5 has no chunk of an image before it is written
        for step in range(4):
            found += watcher.poll(10 * k + step)
        assert found == [FrameRef(str(tmp_path / "g.cxi"), i) for i in range(k)]


def pixels_of(tmp_path, text, data, **more):
    """Pixels and bad pixels of the only panel of a file with the data."""
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        file["data/data"] = data
        for name, values in more.items():
            file[name] = values
    with h5py.File(path) as file:
        found = geometry(HEAD + text)
        return next(iter(EventReader(found).panels(file, events_of(file, found)[0])))


def test_what_is_bad(tmp_path):
    data = np.arange(40.0).reshape(4, 10)
    data[2, 7] = np.nan
    after = (
        "bad1/min_fs = 0\nbad1/max_fs = 1\nbad1/min_ss = 3\nbad1/max_ss = 3\n"
        "bad2/min_x = 3.5\nbad2/max_x = 4.5\nbad2/min_y = 0.5\nbad2/max_y = 1.5\n"  # x and y of first corners of pixels
    )
    before = "flag_equal = 5\nflag_morethan = 38\nflag_lessthan = 1\n"
    before += "mask = /m\nmask_good = 1\nmask_bad = 8\nsaturation_map = /s\n"
    mask = np.ones((4, 10), int)
    mask[0, 2], mask[0, 3], mask[0, 4] = 0, 9, 3
    map_ = np.full((4, 10), 35.5)
    pixels, bad, saturated = pixels_of(tmp_path, before + PANEL.format("p", 0, 3) + after, data, m=mask, s=map_)
    wanted = {(2, 7), (0, 5), (3, 9), (0, 0), (3, 0), (3, 1), (1, 9), (0, 2), (0, 3)}
    assert {(int(slow), int(fast)) for slow, fast in np.argwhere(bad)} == wanted
    assert [int(pixels[slow, fast]) for slow, fast in np.argwhere(saturated)] == [36, 37, 38]


def test_edges_and_panels_without_use_are_bad(tmp_path):
    data = np.zeros((4, 10), int)
    _, bad, _ = pixels_of(tmp_path, "mask_edge_pixels = 1\n" + PANEL.format("p", 0, 3), data)
    assert bad.sum() == 24 and not bad[1:3, 1:9].any()
    _, bad, _ = pixels_of(tmp_path, "no_index = 1\n" + PANEL.format("p", 0, 3), data)
    assert bad.all()


def test_a_mask_for_all_events_may_lie_in_another_file(tmp_path):
    with h5py.File(tmp_path / "mask.h5", "w") as file:
        file["m"] = np.eye(10, dtype=int)[:4]
    text = f"mask = /m\nmask_bad = 1\nmask_file = {tmp_path}/mask.h5\ndim0 = %\ndim1 = ss\ndim2 = fs\n"
    _, bad, _ = pixels_of(tmp_path, text + PANEL.format("p", 0, 3), np.zeros((2, 4, 10)))
    assert np.array_equal(bad, np.eye(10, dtype=bool)[:4])


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(NotThereError, match="no /m, where the geometry says a mask is"):
        pixels_of(tmp_path, "mask = /m\n" + PANEL.format("p", 0, 3), np.zeros((4, 10)))
    with pytest.raises(NotThereError, match="too small, 3 x 10, for data of panel p"):
        pixels_of(tmp_path, PANEL.format("p", 0, 3), np.zeros((3, 10)))
    with pytest.raises(InputError, match="add the lines dim0 = %"):
        pixels_of(tmp_path, PANEL.format("p", 0, 3), np.zeros((2, 4, 10)))


@pytest.mark.parametrize("layout", ["slab", "modules"])
def test_panels_are_cut_out_of_either_layout(tmp_path, layout):
    detector = make_detector("quads")
    n, (rows, columns) = 2, detector.shape
    pixels = np.arange(n * rows * columns, dtype=np.int32).reshape(n, rows, columns)
    mask = np.zeros((rows, columns), int)
    mask[700, 5] = 4
    write_cxi(tmp_path / "a.cxi", pixels, layout, 4, [9000, 9100], mask)
    found = geometry(geometry_text(detector, layout))
    with h5py.File(tmp_path / "a.cxi") as file:
        assert file[DATA].ndim == (3 if layout == "slab" else 4)
        events = events_of(file, found)
        panels = list(EventReader(found).panels(file, events[1]))
        assert np.array_equal(np.concatenate([panel for panel, _, _ in panels]), pixels[1])
        assert [tuple(map(int, at)) for at in np.argwhere(np.concatenate([bad for _, bad, _ in panels]))] == [(700, 5)]
        assert value_of(file, found.wavelength, events[1]) == 9100


def test_virtual_files_of_the_european_xfel(tmp_path):
    """16 modules of 8 sensors each as EXtra-data and EXtra-geom describe them, in files of their own."""
    lines = [HEAD, "data = /entry_1/instrument_1/detector_1/data ;", "mask = /entry_1/instrument_1/detector_1/mask ;"]
    lines += ["mask_bad = 0xffffffff", "dim0 = %"]
    for module in range(16):
        for sensor in range(8):
            values = {"dim1": module, "dim2": "ss", "dim3": "fs", "fs": "+0.x -1.y", "ss": "+1.x +0.y", "coffset": 0.0}
            values |= {"min_fs": 0, "max_fs": 127, "min_ss": 64 * sensor, "max_ss": 64 * sensor + 63}
            values |= {"corner_x": -525.0 + 66 * sensor, "corner_y": 625.0 - 157 * module}
            lines += [f"p{module}a{sensor}/{key} = {value}" for key, value in values.items()]
    found = geometry("\n".join(lines))
    assert len(found.panels) == 128
    rng = np.random.default_rng(2)
    data = rng.normal(size=(16, 2, 512, 128)).astype("f4")
    data[3, 1, 100, 7] = np.nan
    mask = np.zeros(data.shape, "u4")
    mask[5, 1, 200] = 8
    layouts = {name: h5py.VirtualLayout((2, 16, 512, 128), dtype) for name, dtype in (("data", "f4"), ("mask", "u4"))}
    for module in range(15):  # the last module sent nothing
        with h5py.File(tmp_path / f"m{module}.h5", "w") as file:
            file["data"], file["mask"] = data[module], mask[module]
        for name, layout in layouts.items():
            layout[:, module] = h5py.VirtualSource(f"m{module}.h5", name, shape=(2, 512, 128))
    with h5py.File(tmp_path / "run.cxi", "w") as file:
        group = file.create_group("entry_1/instrument_1/detector_1")
        group.create_virtual_dataset("data", layouts["data"], fillvalue=np.nan)
        group.create_virtual_dataset("mask", layouts["mask"], fillvalue=2**32 - 1)
    with h5py.File(tmp_path / "run.cxi") as file:
        panels = list(EventReader(found).panels(file, events_of(file, found)[1]))
    read = np.concatenate([pixels for pixels, _, _ in panels]).reshape(16, 512, 128)
    bad = np.concatenate([bad for _, bad, _ in panels]).reshape(16, 512, 128)
    assert np.array_equal(read[:15], data[:15, 1], equal_nan=True)
    assert bad[15].all() and bad[5, 200].all() and bad[3, 100, 7]
    assert bad[:15].sum() == 128 + 1
    (tmp_path / "agipd.geom").write_text("\n".join(lines))
    (tmp_path / "m2.h5").unlink()
    lost = find_frames([tmp_path / "run.cxi"], geometry=str(tmp_path / "agipd.geom"))
    assert len(lost.frames) == 2 and "m2.h5" in lost.problems[0].text
    assert str(read_event_map(str(tmp_path / "run.cxi"), found).why(1)) == "The data file m2.h5 is missing."
