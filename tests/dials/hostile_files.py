"""Files that ask for something to be run, and who reads them; as a program, it reads them all in one process.

What they ask for is harmless: a folder named ``was_run`` is made, an attribute set, a module of Python imported.
Each function makes its file in the current folder and returns what reads it: the function that the program uses.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import json
import os
import pickle
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

Reads = Callable[[], Any]

CODE = '__import__("os").mkdir("was_run")'


class _Runs:
    def __reduce__(self) -> Any:
        return os.mkdir, ("was_run",)


def _calls(protocol: int = 2) -> bytes:
    return pickle.dumps({"DATA": _Runs()}, protocol)


def _holds(opcodes: bytes) -> bytes:
    """A dictionary with one key, DATA, whose value is made by these opcodes."""
    return b"\x80\x02}q\x00U\x04DATA" + opcodes + b"s."


def _sets_attribute_of(name: bytes) -> bytes:
    return _holds(b"c" + name + b"\nN}U\x07touchedK\x01s\x86b")


# images


def _image(content: bytes, name: str = "img_00001.pickle") -> Reads:
    from iota.engine.backend import parameters as backend
    from iota.engine.images.image import import_frame
    from iota.records import FrameRef

    Path(name).write_bytes(content)
    return lambda: import_frame(FrameRef(os.path.abspath(name)), backend.extract(""), Path("links/img"))


def image_that_calls_a_function() -> Reads:
    return _image(_calls())


def image_that_calls_a_function_in_text() -> Reads:
    return _image(_calls(0))


def image_that_calls_a_function_in_frames() -> Reads:
    return _image(_calls(4))


def image_packed_with_gzip() -> Reads:
    return _image(gzip.compress(_calls()), "img_00001.pickle.gz")


def image_packed_with_bzip2() -> Reads:
    return _image(bz2.compress(_calls()), "img_00001.pickle.bz2")


def image_that_changes_a_class() -> Reads:
    return _image(_sets_attribute_of(b"scitbx_array_family_flex_ext\nint"))


def image_that_changes_a_function() -> Reads:
    return _image(_sets_attribute_of(b"numpy.core.multiarray\n_reconstruct"))


def image_that_changes_a_module() -> Reads:
    return _image(_sets_attribute_of(b"numpy\nrandom"))


def image_that_imports_a_module() -> Reads:
    return _image(_holds(b"ccolorsys\nrgb_to_hsv\n"))


def image_that_makes_any_class() -> Reads:
    return _image(_holds(b"cnumpy\nndarray\n(K\x01\x85tR"))


def image_with_an_extension_of_pickle() -> Reads:
    return _image(_holds(b"\x82\x01"))


def image_with_a_persistent_name() -> Reads:
    return _image(_holds(b"Pwas_run\n"))


def image_read_again_by_iotbx() -> Reads:
    from iotbx.detectors.npy import NpyImage

    Path("img_00001.pickle").write_bytes(_calls())
    asked = types.SimpleNamespace(distl=types.SimpleNamespace(detector_format_version="CXI 8.1"))
    return lambda: NpyImage("img_00001.pickle").readHeader(asked)


def image_read_again_by_libtbx() -> Reads:
    from libtbx import easy_pickle

    Path("img_00001.pickle").write_bytes(_calls())
    return lambda: easy_pickle.load("img_00001.pickle")


def image_that_is_a_locator() -> Reads:
    from dxtbx.format import FormatXTC

    Path("run_00001.loc").write_text(f"data_source = exp=x\n  .expert_level = {CODE}\n")
    return lambda: FormatXTC.FormatXTC.params_from_phil(FormatXTC.locator_scope, "run_00001.loc")


def image_that_is_a_locator_with_a_number() -> Reads:
    from dxtbx.format import FormatXTC

    Path("run_00001.loc").write_text(f"wavelength_delta_k = '{CODE}'\n")
    return lambda: FormatXTC.FormatXTC.params_from_phil(FormatXTC.locator_scope, "run_00001.loc")


def image_with_code_in_its_header() -> Reads:
    header = f"{{\nHEADER_BYTES=  512;\nSIZE1=4;\nSIZE2=4;\nTYPE=unsigned_short;\nDISTANCE={CODE};\n}}\n"
    return _image(header.encode().ljust(512) + bytes(32), "img_00001.img")


def image_whose_name_is_a_script() -> Reads:  # cctbx reads the path of such an image as PHIL
    content = {"SIZE1": 4, "SIZE2": 4, "TIMESTAMP": "2026-01-01T00:00Z00.000"}
    return _image(pickle.dumps(content, 2), f"distl.bins.verbose=1 .expert_level={CODE} #_00001.pickle")


def image_of_hdf5_with_data_of_any_type() -> Reads:
    import numpy as np

    from iota.hdf5 import h5py

    days = np.array(["2026-01-01"], "M8[s]").astype(
        h5py.opaque_dtype("M8[s]")
    )  # a type that is only a text in the file
    with h5py.File("img_master.h5", "w") as file:
        file["entry/instrument/detector/description"] = days
    return lambda: h5py.File("img_master.h5")["entry/instrument/detector/description"][()]


def image_of_hdf5_that_links_to_a_pickle() -> Reads:
    from iota.hdf5 import h5py

    Path("data.pickle").write_bytes(_calls())
    with h5py.File("img_master.h5", "w") as file:
        file["entry/data/data_000001"] = h5py.ExternalLink("data.pickle", "/data")
    return _image(Path("img_master.h5").read_bytes(), "img_master.h5")


# masks and other files that parameters name


def _mask(content: bytes) -> Reads:
    from iota.engine.images.masks import load_mask

    Path("mask.pickle").write_bytes(content)
    return lambda: load_mask(Path("mask.pickle"))


def mask_that_calls_a_function() -> Reads:
    return _mask(pickle.dumps((_Runs(),), 2))


def mask_that_changes_a_class() -> Reads:
    return _mask(_sets_attribute_of(b"scitbx_array_family_flex_ext\nbool"))


def mask_that_changes_a_function() -> Reads:
    return _mask(_sets_attribute_of(b"_codecs\nencode"))


def map_of_the_gain_for_spot_finding() -> Reads:
    from dials.algorithms.spot_finding.factory import SpotFinderFactory

    Path("gain.pickle").write_bytes(_calls())
    return lambda: SpotFinderFactory.load_image("gain.pickle")


def mask_for_integration() -> Reads:
    from dials.algorithms.integration import integrator

    from iota.engine.backend import parameters as backend

    Path("mask.pickle").write_bytes(_calls())
    params = backend.extract('integration.lookup.mask = "mask.pickle"')
    return lambda: integrator.create_integrator(params, [], None)


def model_of_the_background() -> Reads:
    from dials.algorithms.background.gmodel import algorithm

    Path("model.pickle").write_bytes(_calls())
    return lambda: algorithm.global_model_cache.get("model.pickle")


# experiments and reflections


def _expt(found: Any) -> Reads:
    from iota.engine.backend.dials_files import read_experiments

    Path("lookup.pickle").write_bytes(_calls())
    Path("a.expt").write_text(json.dumps(found))
    return lambda: len(read_experiments(Path("a.expt")))


_LOOKUPS = dict.fromkeys(("mask", "gain", "pedestal", "dx", "dy"), "lookup.pickle")
_EXPERIMENTS = {
    "__id__": "ExperimentList",
    "experiment": [{"__id__": "Experiment", "identifier": "", "imageset": 0}],
    "imageset": [{"__id__": "ImageSet", "images": ["img_00001.cbf"], "single_file_indices": [0], **_LOOKUPS}],
} | {name: [] for name in ("beam", "detector", "goniometer", "scan", "crystal", "profile", "scaling_model")}
_DATA_BLOCK = {
    "__id__": "DataBlock",
    "imageset": [{"__id__": "ImageSet", "images": [{"filename": "img_00001.cbf"}], **_LOOKUPS}],
} | {name: [] for name in ("beam", "detector", "goniometer", "scan")}


def experiments_that_name_pickles() -> Reads:
    return _expt(_EXPERIMENTS)


def experiments_of_an_older_kind_that_name_pickles() -> Reads:
    return _expt([_DATA_BLOCK])


def experiments_that_are_a_pickle() -> Reads:
    reads = _expt({})
    Path("a.expt").write_bytes(_calls())
    return reads


def experiments_with_a_model_of_any_name() -> Reads:
    return _expt(_EXPERIMENTS | {"profile": [{"__id__": "colorsys.rgb_to_hsv"}]})


def experiments_that_lead_to_other_files() -> Reads:
    Path("beam.json").write_text(json.dumps({"direction": [0, 0, 1], "wavelength": 1.0}))
    experiment = {"__id__": "Experiment", "identifier": "", "beam": "beam.json"}
    return _expt(_EXPERIMENTS | {"experiment": [experiment], "imageset": []})


def experiments_read_by_dials_itself() -> Reads:
    from dxtbx.model.experiment_list import ExperimentListFactory

    _expt(_EXPERIMENTS)
    return lambda: ExperimentListFactory.from_json_file("a.expt", check_format=True)


def geometry_for_reference() -> Reads:
    from iota.engine.images.image import load_reference_geometry

    _expt([_DATA_BLOCK])
    return lambda: load_reference_geometry("a.expt")


def geometry_for_reference_that_is_a_pickle() -> Reads:
    from iota.engine.images.image import load_reference_geometry

    Path("a.pickle").write_bytes(_calls())
    return lambda: load_reference_geometry("a.pickle")


def reflections_that_are_a_pickle() -> Reads:
    from iota.engine.backend.dials_files import read_reflections

    Path("a.refl").write_bytes(_calls())
    return lambda: read_reflections(Path("a.refl"))


def reflections_read_by_dials_itself() -> Reads:
    from dials.array_family import flex

    Path("a.refl").write_bytes(_calls())
    return lambda: flex.reflection_table.from_file("a.refl")


def reflections_that_a_program_would_unpack() -> Reads:
    from iota.engine.backend.dials_files import read_reflections

    Path("a.refl.Z").write_bytes(b"\x1f\x9d")
    return lambda: read_reflections(Path("a.refl.Z"))


# scripts


def _target(text: str) -> Path:
    path = Path("target.phil")
    path.write_text(f"indexing.known_symmetry.unit_cell = 79 79 38 90 90 90\n{text}\n")
    return path


def script_with_a_type() -> Reads:
    from iota.params import read

    path = _target(f"x = 1\n  .type = int({CODE})")
    return lambda: read([path])


def script_with_a_number_to_calculate() -> Reads:
    from iota.params import read

    Path("a.param").write_text(f"mp.n_processors = '{CODE}'\n")
    return lambda: read([Path("a.param")])


def script_that_imports_a_module() -> Reads:
    from iota.params import read

    Path("a.param").write_text("include scope colorsys.rgb_to_hsv\n")
    return lambda: read([Path("a.param")])


def script_that_includes_a_file() -> Reads:
    from iota.params import read

    Path("other.phil").write_text(f"x = 1\n  .expert_level = {CODE}\n")
    Path("a.param").write_text("include file other.phil\n")
    return lambda: read([Path("a.param")])


def target_with_a_number_to_calculate() -> Reads:
    from iota.engine.backend import parameters as backend
    from iota.params import read

    path = _target(f"spotfinder.filter.min_spot_size = '{CODE}'")
    return lambda: backend.target_text(read(assignments=[f"cctbx_xfel.target={path.absolute()}"]))


def target_that_calls_a_function() -> Reads:
    from iota.engine.backend import parameters as backend
    from iota.params import read

    path = _target(f"spotfinder .call = os.mkdir({CODE}) {{ }}")
    return lambda: backend.target_text(read(assignments=[f"cctbx_xfel.target={path.absolute()}"]))


def target_of_a_run_with_a_number_to_calculate() -> Reads:
    from iota.engine.backend import parameters as backend

    text = _target(f"spotfinder.filter.min_spot_size = '{CODE}'").read_text()
    return lambda: backend.extract(text)


def target_of_a_run_with_an_expert_level() -> Reads:
    from iota.engine.backend import parameters as backend

    text = _target(f"x = 1\n  .expert_level = {CODE}").read_text()
    return lambda: backend.with_lines(text, [])


def target_of_a_run_for_its_summary() -> Reads:
    from iota.params.from_target import given_lattice

    path = _target(f"x = 1\n  .expert_level = {CODE}")
    return lambda: given_lattice(path)


def target_of_a_run_for_its_settings_page() -> Reads:
    from iota.params.compare import target_difference

    path = _target(f"x = 1\n  .type = int({CODE})")
    return lambda: target_difference(path)


def target_of_a_run_for_its_images() -> Reads:
    from iota.engine.viewer.pixel_frames import parameters

    path = _target(f"spotfinder.filter.d_min = '{CODE}'")
    return lambda: parameters(str(path))


def settings_that_a_ledger_says() -> Reads:
    from iota.engine.backend import parameters as backend

    return lambda: backend.changed(f"indexing.stills.rmsd_min_px = '{CODE}'")


def shapes_of_a_mask() -> Reads:
    from iota.engine.viewer.mask_shapes import mask_from_phil

    return lambda: mask_from_phil(f"border = '{CODE}'", None)


def geometry_of_crystfel() -> Reads:
    from iota.inputs.crystfel.geometry import read_geometry

    Path("a.geom").write_text(f"clen = {CODE}\nphoton_energy = {CODE}\np0/min_fs = {CODE}\n")
    return lambda: read_geometry("a.geom")


def list_of_images() -> Reads:
    from iota.inputs import find_frames

    Path("a.lst").write_text("$(mkdir was_run)\n`mkdir was_run`\n| mkdir was_run\n")
    return lambda: find_frames(["a.lst"]).frames


# runs of others


def counts_of_a_run_that_hold_objects() -> Reads:
    import numpy as np

    from iota.runs.miller_counts import FILE_NAME, read_miller_counts

    np.savez(FILE_NAME, head=np.array([_Runs()], dtype=object))
    return lambda: read_miller_counts(Path())


def columns_of_a_run_that_hold_objects() -> Reads:
    import numpy as np

    from iota.analysis.table import table_cache

    with Path(table_cache.NAME).open("wb") as file:
        np.savez(file, head=np.array([_Runs()], dtype=object))
    return lambda: table_cache.load(Path(), io.BytesIO())


def integration_pickle_for_prime() -> Reads:
    from iota.merging.prime_pickles import check_integration_pickle

    Path("int_a.pickle").write_bytes(_calls())
    return lambda: check_integration_pickle(Path("int_a.pickle"))


KINDS: dict[str, Callable[[], Reads]] = {
    name: value
    for name, value in list(globals().items())
    if isinstance(value, types.FunctionType) and not name.startswith("_") and value.__module__ == __name__
}


# what reading them changes


class _Watch:
    """Events of Python that mean that something is run, while it is switched on."""

    _RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen", "pickle.find_class")

    def __init__(self) -> None:
        self.is_on = False
        self.events: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.is_on and event in self._RUNS:
            self.events.append(f"{event} {arguments}"[:200])
        if self.is_on and event == "exec" and {"__import__", "mkdir"} & set(getattr(arguments[0], "co_names", ())):
            self.events.append(f"exec {arguments[0].co_names}")


_WATCHED = ("iota", "dxtbx", "dials", "scitbx", "scitbx_array_family_flex_ext", "numpy", "iotbx", "libtbx", "builtins")


# what dxtbx opened last, and what Python warned of
_CHANGES_ANYHOW = ("_current_filename_", "_current_instance_", "_current_kwargs_", "__warningregistry__")


def _attributes() -> dict[str, int]:
    """What every module, class and function of the watched packages has for an attribute, by its address."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] not in _WATCHED:
            continue
        for attribute, value in list(vars(module).items()):
            found[f"{name}.{attribute}"] = id(value)
            if isinstance(value, type | types.FunctionType):
                for inner, kept in list(vars(value).items()):
                    found[f"{name}.{attribute}.{inner}"] = id(kept)
            if isinstance(value, types.FunctionType):
                found[f"{name}.{attribute}()"] = hash((id(value.__code__), id(value.__defaults__)))
    return found


def _state() -> dict[str, Any]:
    return {
        "modules": dict.fromkeys(sys.modules),
        "path": dict(enumerate(sys.path)),
        "environment": dict(os.environ),
        "attributes": {name: kept for name, kept in _attributes().items() if not name.endswith(_CHANGES_ANYHOW)},
    }


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [
        f"{what} {name}"
        for what, was in before.items()
        for name in was.keys() | after[what].keys()
        if was.get(name) != after[what].get(name) or (name in was) != (name in after[what])
    ]


def _import_what_reading_imports() -> None:
    """All format classes, which dxtbx imports as it goes, and codecs."""
    from dxtbx.format.Registry import get_format_class_index

    from iota.engine.frame import frame  # noqa: F401 - all that a worker imports

    for load, _ in get_format_class_index().values():
        with suppress(ImportError):
            load()
    from dxtbx.format import FormatPYunspecified

    FormatPYunspecified.cxi_phil.cxi_basic_start()
    for name in ("cp437", "raw_unicode_escape", "utf_8_sig"):
        codecs.lookup(name)


def _tried(reads: Reads) -> str:
    try:
        return f"read: {reads()!r}"
    except Exception as error:  # noqa: BLE001 - each refuses in its own way
        return f"{type(error).__name__}: {error}"


def _good() -> list[Any]:
    """Good images of both kinds, read as a worker reads them."""
    import numpy as np
    from scitbx.array_family import flex

    from iota.engine.backend import parameters as backend
    from iota.engine.backend.literal_pickles import load
    from iota.engine.images.image import import_frame
    from iota.engine.images.masks import load_mask, write_mask
    from iota.records import FrameRef

    write_mask((flex.bool(flex.grid(3, 4), True),), Path("good.pickle"))
    content = pickle.dumps({"DATA": flex.int(flex.grid(3, 4), 7), "WAVELENGTH": np.float64(0.98)}, 2)
    (experiment,) = import_frame(FrameRef(sys.argv[1]), backend.extract(""), Path("links/good"))
    return [
        experiment.imageset.reader().paths()[0],
        flex.sum(experiment.imageset.get_raw_data(0)[0].as_double()),
        list(load(io.BytesIO(content))["DATA"]),
        load_mask(Path("good.pickle"))[0].count(True),
    ]


def main() -> None:
    """Read all kinds; writes what was said, run and changed as JSON to standard output."""
    _import_what_reading_imports()
    watch = _Watch()
    top = Path.cwd()
    results: dict[str, Any] = {"good before": _good()}
    readers = {}
    for name, kind in KINDS.items():
        (top / name).mkdir()
        os.chdir(top / name)
        readers[name] = kind()
    before = _state()
    for name, reads in readers.items():
        os.chdir(top / name)
        watch.events, watch.is_on = [], True
        said = _tried(reads)
        watch.is_on = False
        after = _state()
        changes = _changes(before, after) + ["folder"] * (Path.cwd() != top / name) + ["ran"] * Path("was_run").exists()
        results[name] = {"said": said, "events": watch.events, "changes": changes}
        before = after
    os.chdir(top)
    results["good after"] = _good()
    sys.stdout.write("\n" + json.dumps(results))


if __name__ == "__main__":
    main()
