"""Which files below a folder look whole and are not: each is read to its end by the program or rule of its kind."""

from __future__ import annotations

import json
import pickletools
import re
from collections.abc import Callable
from pathlib import Path

import gemmi
import numpy as np

from iota.engine.backend.dials_files import read_experiments, read_reflections

_GROWS = (".log", ".jsonl")  # read line by line by all who read them
_N_CHUNKS = re.compile(r"^----- (Begin|End) chunk -----$", re.MULTILINE)


def half_files(folder: Path) -> list[str]:
    """Sentences on files of a folder that have their names and are not complete; hidden ones are in the making."""
    return [
        f"{path}: {problem}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        if (problem := _problem(path))
    ]


def _problem(path: Path) -> str:
    if path.suffix in _GROWS or path.name == "input.lst" or path.parent.name == "logs":
        return ""
    try:
        return _READERS[path.suffix](path)
    except KeyError:
        return "nobody knows how to tell whether it is whole"
    except Exception as error:  # noqa: BLE001 - whatever a reader says of half a file
        return f"{type(error).__name__}: {error}"


def _experiments(path: Path) -> str:
    n = len(read_experiments(path))
    pair = path.with_name(path.name.replace("_imported.expt", "_strong.refl")).with_suffix(".refl")
    return "" if n and pair.is_file() else f"{n} experiments, {pair.name} is {'' if pair.is_file() else 'not '}there"


def _reflections(path: Path) -> str:
    return "" if len(read_reflections(path)) else "no reflections"


def _stream(path: Path) -> str:
    marks = _N_CHUNKS.findall(path.read_text(encoding="utf-8"))
    said = json.loads((path.parent / "export.json").read_text(encoding="utf-8"))["n_chunks"]
    counts = (marks.count("Begin"), marks.count("End"))
    return "" if counts == (said, said) else f"{counts} chunks begin and end, {said} were written"


def _mtz(path: Path) -> str:
    merged = gemmi.read_mtz_file(str(path))
    return "" if len(np.array(merged)) == merged.nreflections > 0 else "no reflections"


def _pickle(path: Path) -> str:
    opcode = list(pickletools.genops(path.read_bytes()))[-1][0]  # nothing of it is run
    return "" if opcode.name == "STOP" else "it does not end"


def _arrays(path: Path) -> str:
    with np.load(path, allow_pickle=False) as file:
        return "" if all(file[name] is not None for name in file) else "empty"


def _ends_with(*ends: bytes, may_be_empty: bool = False) -> Callable[[Path], str]:
    def check(path: Path) -> str:
        data = path.read_bytes()
        if not data:
            return "" if may_be_empty else "it is empty"
        return "" if data.endswith(ends) else f"it ends with {data[-20:]!r}"

    return check


def _json(path: Path) -> str:
    return "" if isinstance(json.loads(path.read_bytes()), dict | list) else "no record"


_READERS: dict[str, Callable[[Path], str]] = {
    ".expt": _experiments,
    ".refl": _reflections,
    ".stream": _stream,
    ".mtz": _mtz,
    ".pickle": _pickle,
    ".npz": _arrays,
    ".json": _json,
    ".html": _ends_with(b"</html>\n", b"</html>"),
    ".md": _ends_with(b"\n"),
    ".lst": _ends_with(b"\n", may_be_empty=True),
    ".param": _ends_with(b"\n"),
    ".phil": _ends_with(b"\n", may_be_empty=True),
    ".geom": _ends_with(b"\n"),
    ".cell": _ends_with(b"\n"),
    ".txt": _ends_with(b"\n"),
    ".png": _ends_with(b"IEND\xaeB`\x82"),
    ".pdf": _ends_with(b"%%EOF\n", b"%%EOF"),
}
