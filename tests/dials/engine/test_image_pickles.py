"""Image pickles: arrays of numbers are read; anything else is refused, runs nothing and changes nothing."""

from __future__ import annotations

import ast
import inspect
import io
import multiprocessing
import os
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress

import dxtbx.format.FormatPY
import numpy as np
import pytest
from dials.algorithms.background.gmodel import StaticBackgroundModel
from dxtbx.format.Registry import get_format_class_for_file, get_format_class_index
from scitbx.array_family import flex

from iota.engine.backend import literal_pickles
from iota.engine.backend import parameters as backend
from iota.engine.frame import frame
from iota.engine.images import image_pickles
from iota.engine.images.image import ImportFailedError, import_frame
from iota.records import FrameRef


class _Runs:
    def __reduce__(self):
        return (os.mkdir, ("was_run",))


def _dictionary(value: bytes) -> bytes:
    """A dictionary with one key, DATA, whose value is made by these opcodes."""
    return b"\x80\x02}q\x00U\x04DATA" + value + b"s."


def _changed(name: bytes) -> bytes:
    """Opcodes that set an attribute of something."""
    return b"c" + name + b"\nN}U\x07touchedK\x01s\x86b"


HOSTILE = {
    "a function": pickle.dumps({"DATA": _Runs()}, 2),
    "a function, protocol 4": pickle.dumps({"DATA": _Runs()}, 4),
    "something else of flex": _dictionary(b"cscitbx.array_family.flex\nsorted\n"),
    "a module of numpy": _dictionary(b"cnumpy.f2py\nndarray\n"),
    "an attribute of a class": _dictionary(_changed(b"scitbx_array_family_flex_ext\nint")),
    "an attribute of a function": _dictionary(_changed(b"_codecs\nencode")),
    "an attribute of a function of numpy": _dictionary(_changed(b"numpy.core.multiarray\n_reconstruct")),
    "objects": _dictionary(b"cnumpy\ndtype\n(U\x02O8K\x00K\x01tR"),
    "a class called": _dictionary(b"cnumpy\nndarray\n(K\x01\x85tR"),
    "torn": pickle.dumps({"DATA": flex.int(flex.grid(30, 30))}, 2)[:900],
    "nothing": b"\x80\x02}q",
}


def _state() -> list[object]:
    watched = (flex, flex.int, np, np.ndarray, image_pickles, dxtbx.format.FormatPY)
    return [sorted(sys.modules), sys.path[:], *(sorted(dir(thing)) for thing in watched)]


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_pickle_with_anything_but_numbers_is_refused_and_changes_nothing(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "img_00001.pickle"
    path.write_bytes(content)
    get_format_class_for_file(__file__)  # whatever dxtbx imports when it looks for a format
    before = _state()
    with pytest.raises(ImportFailedError, match=r"more than numbers|damaged pickle"):
        import_frame(FrameRef(str(path)), backend.extract(""), tmp_path / "links" / "img")
    assert not dxtbx.format.FormatPY.FormatPY.understand(str(path))  # the reader of dxtbx itself
    assert _state() == before
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_of_numbers_are_read_as_they_were_written(protocol):
    image = {
        "DATA": flex.int(flex.grid(3, 4), 7),
        "SHARED": [np.arange(6.0, dtype=">f4").reshape(2, 3), np.arange(3.0, dtype=">f4")],
        "COLUMNS": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "WAVELENGTH": np.float64(0.98),
    }
    read = literal_pickles.load(io.BytesIO(pickle.dumps(image, protocol)))
    read = {key.decode() if isinstance(key, bytes) else key: value for key, value in read.items()}
    assert read["DATA"].all() == (3, 4) and read["DATA"].all_eq(7)
    for found, written in zip([*read["SHARED"], read["COLUMNS"]], [*image["SHARED"], image["COLUMNS"]], strict=True):
        assert found.dtype == written.dtype and np.array_equal(found, written)
    assert read["WAVELENGTH"] == 0.98


def test_the_model_of_a_background_is_read():
    model = StaticBackgroundModel()
    model.add(flex.double(flex.grid(2, 3), 1.5))
    read = literal_pickles.load(io.BytesIO(pickle.dumps(model)))
    assert isinstance(read, StaticBackgroundModel)
    assert list(read.data(0)) == [1.5] * 6


UNPICKLES_WHAT_NOBODY_SENDS = {
    "libtbx.env_config": "the installation's own settings",
    "iotbx.detectors.pilatus_slice": "slices of images that a server sends, which are no files",
    "rstbx.symmetry.constraints.parameter_reduction": "an exercise of its own",
    "scitbx.array_family.flex": "an exercise of its own",
    "serialtbx.detector.legacy_metrology.generic_detector": "after a return",
    "xfel.cftbx.detector.generic_detector": "after a return",
}


def test_every_module_that_unpickles_is_guarded_or_known():
    """In a process that has imported what a worker imports; other tests import more."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        found, guarded = process.submit(_modules_that_unpickle).result()
    assert guarded >= {"dxtbx.format.FormatPY", "dxtbx.model.experiment_list", "libtbx.easy_pickle"}
    assert found - guarded <= UNPICKLES_WHAT_NOBODY_SENDS.keys()


def _modules_that_unpickle():
    assert frame  # all that a worker imports
    for load, _ in get_format_class_index().values():
        with suppress(ImportError):  # those that need psana
            load()
    found = {name for name, module in list(sys.modules.items()) if _is_of_backend(name) and _unpickles(module)}
    return found, {name for name in found if getattr(sys.modules[name], "pickle", pickle).load is literal_pickles.load}


def _is_of_backend(name):
    return name.partition(".")[0] in (
        "dials",
        "dxtbx",
        "iotbx",
        "libtbx",
        "scitbx",
        "cctbx",
        "xfel",
        "serialtbx",
        "rstbx",
    )


def _unpickles(module):
    try:
        source = inspect.getsource(module)
    except (OSError, TypeError):  # compiled, or empty
        return False
    return "pickle" in source and any(
        isinstance(node, ast.Call) and ast.unparse(node.func) in ("pickle.load", "pickle.loads", "pickle.Unpickler")
        for node in ast.walk(ast.parse(source))
    )
