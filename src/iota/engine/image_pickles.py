"""Images that are pickles: dxtbx would execute whatever is in one, so it is given a reader that admits only numbers."""

from __future__ import annotations

import pickle
import types
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from dxtbx.format import FormatPY, FormatPYmultitile, FormatPYunspecified, FormatPYunspecifiedStill
from dxtbx.format.Format import Format
from scitbx.array_family import flex

_PICKLES = (b"\x80", b"(d", b"}q")
_COMPRESSED = (b"\x1f\x8b", b"BZ")


_NUMBERS = "biufc"  # kinds of numpy


def _latin1(text: Any, _encoding: Any = "latin1") -> bytes:
    return text.encode("latin1") if isinstance(text, str) else bytes(text)


def _dtype(code: Any, *_: Any) -> np.dtype[Any]:
    kind = np.dtype(code.decode("ascii") if isinstance(code, bytes) else str(code))
    if kind.kind not in _NUMBERS:
        raise pickle.UnpicklingError(f"it holds an array of {kind}")
    return kind


def _scalar(kind: np.dtype[Any], value: Any) -> Any:
    return np.frombuffer(_latin1(value), kind, count=1)[0]


def _empty(*_: Any) -> npt.NDArray[Any]:
    return np.empty(0)


def _from_buffer(values: Any, kind: np.dtype[Any], shape: Any, order: Any) -> npt.NDArray[Any]:
    return np.frombuffer(values, kind).reshape(shape, order="F" if order in ("F", b"F") else "C")


_ARRAYS = tuple(
    getattr(flex, name)
    for name in ("bool", "int", "long", "size_t", "float", "double", "grid", "int64", "uint8", "uint16", "uint32")
    if hasattr(flex, name)  # unsigned ones are new
)
_ADMITTED: dict[tuple[str, str], Any] = {
    **{(module, kind.__name__): kind for kind in _ARRAYS for module in (kind.__module__, "scitbx.array_family.flex")},
    ("_codecs", "encode"): _latin1,
    ("numpy", "dtype"): _dtype,
    ("numpy", "ndarray"): None,  # only named, in the arguments of _reconstruct
}
for _core in ("numpy.core", "numpy._core"):
    _ADMITTED[f"{_core}.multiarray", "_reconstruct"] = _empty
    _ADMITTED[f"{_core}.multiarray", "scalar"] = _scalar
    _ADMITTED[f"{_core}.numeric", "_frombuffer"] = _from_buffer


_InPython: Any = pickle._Unpickler  # that in C cannot be narrowed in what BUILD does


class _ImageUnpickler(_InPython):  # type: ignore[misc]
    """Admits arrays of numbers and nothing else: no module is imported, and no existing object is changed.

    Arrays are rebuilt by functions of ours: those of numpy are not called with what a file says.
    """

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it holds {module}.{name}") from None

    def load_build(self) -> None:
        state, of = self.stack[-1], self.stack[-2]
        if isinstance(of, np.dtype):
            self._replace(of, of.newbyteorder(">") if state[1] in (">", b">") else of)
        elif isinstance(of, np.ndarray):
            _, shape, kind, is_fortran, values = state
            self._replace(of, _from_buffer(_latin1(values), kind, shape, "F" if is_fortran else "C"))
        elif isinstance(of, _ARRAYS):
            super().load_build()
        else:  # attributes of a class or a function could be set
            raise pickle.UnpicklingError(f"it changes a {type(of).__name__}")

    def _replace(self, old: Any, new: Any) -> None:
        self.stack[-2:] = [new]
        self.memo.update({place: new for place, kept in self.memo.items() if kept is old})

    dispatch = _InPython.dispatch | {pickle.BUILD[0]: load_build}


def _load(file: IO[bytes], *, encoding: str = "bytes") -> Any:
    try:
        return _ImageUnpickler(file, encoding=encoding).load()
    except (pickle.UnpicklingError, OSError):
        raise
    except Exception as error:  # whatever damaged bytes lead to
        raise pickle.UnpicklingError("it is damaged") from error


def _guard_dxtbx() -> None:
    """Have the format classes of dxtbx that read pickles use the reader above."""
    reader = types.SimpleNamespace(load=_load, UnpicklingError=pickle.UnpicklingError)
    for module in (FormatPY, FormatPYmultitile, FormatPYunspecified, FormatPYunspecifiedStill):
        module.pickle = reader


_guard_dxtbx()


def check_pickle(path: Path, start: bytes) -> None:
    """See that an image, if it is a pickle, compressed or not, holds nothing but numbers.

    Args:
        path: of the image.
        start: its first two bytes.

    Raises:
        pickle.UnpicklingError: it holds something else; the text is a sentence for people.
        OSError: it cannot be read.
    """
    if not start.startswith(_PICKLES + _COMPRESSED):
        return
    with Format.open_file(str(path), "rb") as file:
        if not file.read(2).startswith(_PICKLES):
            return
        file.seek(0)
        try:
            _load(file)
        except pickle.UnpicklingError as error:
            if "damaged" in str(error):
                raise pickle.UnpicklingError("The image is a damaged pickle.") from error
            raise pickle.UnpicklingError(
                f"The image is a pickle that contains more than numbers ({error}); it is not opened."
            ) from error
