"""Images that are pickles: dxtbx would run whatever is in one, so what is in it is looked at first."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from dxtbx.format.Format import Format
from scitbx.array_family import flex

_PICKLES = (b"\x80", b"(d", b"}q")
_COMPRESSED = (b"\x1f\x8b", b"BZ")


class _ImageUnpickler(pickle.Unpickler):
    """Admits arrays of numbers and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("scitbx_array_family_flex_ext", "scitbx.array_family.flex") and hasattr(flex, name):
            return getattr(flex, name)
        if (module.split(".")[0], name) in (("numpy", "ndarray"), ("numpy", "dtype"), ("numpy", "_reconstruct")) or (
            module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "scalar"
        ):
            return super().find_class(module, name)
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        raise pickle.UnpicklingError(f"it holds {module}.{name}")


def _latin1(text: Any, encoding: Any = "latin1") -> bytes:
    return text.encode("latin1") if isinstance(text, str) else bytes(text)


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
    try:
        with Format.open_file(str(path), "rb") as file:
            if file.read(2).startswith(_PICKLES):
                file.seek(0)
                _ImageUnpickler(file, encoding="bytes").load()
    except pickle.UnpicklingError as error:
        raise pickle.UnpicklingError(
            f"It is a pickle with more than numbers in it ({error}), which is not opened."
        ) from error
    except OSError:
        raise
    except Exception as error:  # whatever torn bytes lead to
        raise pickle.UnpicklingError("It is a damaged pickle.") from error
