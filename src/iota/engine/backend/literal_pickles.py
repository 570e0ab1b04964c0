"""Reads pickles that contain only arrays and numbers, without executing anything in them.

A pickle may name any function of any module and call it.  The reader of this module knows the classes of arrays and
nothing else, and modules of DIALS that read pickles are given it in place of Python's: they unpickle images, masks
that an ``.expt`` names, files that a parameter names, and whatever they do not understand.  What each file may do, and
why it does nothing: docs/decisions/0025-nothing-in-a-file-is-run.md.
"""

from __future__ import annotations

import io
import pickle
import types
from importlib import import_module
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from scitbx.array_family import flex

_NUMBERS = "biufc"  # kinds of numpy


class NotAdmittedError(pickle.UnpicklingError):
    """A pickle contains something that is not on the list; the text names it, as part of a sentence."""


def _latin1(text: Any, _encoding: Any = "latin1") -> bytes:
    if isinstance(text, bytes | bytearray):
        return bytes(text)
    return str.encode(text, "latin1")


def _dtype(code: Any, *_: Any) -> np.dtype[Any]:
    kind = np.dtype(code.decode("ascii") if isinstance(code, bytes) else str(code))
    if kind.kind not in _NUMBERS:
        raise NotAdmittedError(f"it holds an array of {kind}")
    return kind


def _scalar(kind: np.dtype[Any], value: Any) -> Any:
    return np.frombuffer(_latin1(value), kind, count=1)[0]


def _empty(*_: Any) -> npt.NDArray[Any]:
    return np.empty(0)


def _from_buffer(values: Any, kind: np.dtype[Any], shape: Any, order: Any) -> npt.NDArray[Any]:
    return np.frombuffer(values, kind).reshape(shape, order="F" if order in ("F", b"F") else "C")


_ARRAYS = [
    getattr(flex, name)
    for name in ("bool", "int", "long", "size_t", "float", "double", "grid", "int64", "uint8", "uint16", "uint32")
    if hasattr(flex, name)  # unsigned ones are new
]
_STATEFUL: list[type] = [*_ARRAYS]  # whose state a pickle may set
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


class _LiteralUnpickler(_InPython):  # type: ignore[misc]
    """Admits arrays of numbers and nothing else: no module is imported, and no existing object is changed.

    Arrays are rebuilt by functions of ours: those of numpy are not called with what a file says.
    """

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise NotAdmittedError(f"it holds {module}.{name}") from None

    def load_build(self) -> None:
        state, of = self.stack[-1], self.stack[-2]
        if isinstance(of, np.dtype):
            self._replace(of, of.newbyteorder(">") if state[1] in (">", b">") else of)
        elif isinstance(of, np.ndarray):
            _, shape, kind, is_fortran, values = state
            self._replace(of, _from_buffer(_latin1(values), kind, shape, "F" if is_fortran else "C"))
        elif isinstance(of, tuple(_STATEFUL)):
            super().load_build()
        else:  # attributes of a class or a function could be set
            raise NotAdmittedError(f"it changes a {type(of).__name__}")

    def _replace(self, old: Any, new: Any) -> None:
        self.stack[-2:] = [new]
        self.memo.update({place: new for place, kept in self.memo.items() if kept is old})

    dispatch = _InPython.dispatch | {pickle.BUILD[0]: load_build}


def load(file: IO[bytes], *, encoding: str = "bytes", **_: Any) -> Any:
    """Read a pickle as ``pickle.load`` does, if it holds arrays of numbers and nothing else.

    Args:
        file: where it begins.
        encoding: of what Python 2 wrote as strings.

    Raises:
        NotAdmittedError: it holds something else.
        pickle.UnpicklingError: it is damaged.
        OSError: it cannot be read.
    """
    try:
        return _LiteralUnpickler(file, encoding=encoding).load()
    except (pickle.UnpicklingError, OSError, MemoryError):
        raise
    except Exception as error:  # whatever damaged bytes lead to
        raise pickle.UnpicklingError("it is damaged") from error


def _loads(data: bytes, /, *, encoding: str = "bytes", **_: Any) -> Any:
    return load(io.BytesIO(data), encoding=encoding)


_READER = types.SimpleNamespace(**vars(pickle) | {"load": load, "loads": _loads, "Unpickler": _LiteralUnpickler})


def read_literally(*modules: str) -> None:
    """Make modules of other packages read pickles by the list of this module; modules not installed are ignored."""
    for name in modules:
        try:
            module: Any = import_module(name)
        except ImportError:
            continue
        if hasattr(module, "pickle"):
            module.pickle = _READER


def admit(kind: type) -> None:
    """Admit one more class, whose instances contain only numbers."""
    _ADMITTED[kind.__module__, kind.__name__] = kind
    _STATEFUL.append(kind)
