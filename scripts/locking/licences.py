"""Licences of what the locks have, from the metadata of the very files that are locked."""

from __future__ import annotations

import json
import re
import tempfile
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.utils import canonicalize_name

from iota.requirements.locks import GROUPS, HERE, KINDS
from locking.make import uv

FILE = Path(__file__).with_name("licences.json")

# Classifiers of older metadata, in the identifiers of SPDX.
_SPDX = {
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
# Where metadata say nothing, or not which of several: taken from the licence texts in the wheels.
_READ = {
    "dask-jobqueue": "BSD-3-Clause",
    "docutils": "LicenseRef-Public-Domain AND 0BSD AND BSD-2-Clause",  # GPL is one file for Emacs, not in the wheel
    "grimp": "BSD-2-Clause",
    "hdf5plugin": "MIT",  # its own code; the filters in it have licences of their own, which its documentation lists
    "import-linter": "BSD-2-Clause",
    "itsdangerous": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "numba": "BSD-2-Clause",
    "partd": "BSD-3-Clause",
    "pebble": "LGPL-3.0-or-later",
    "tinycss2": "BSD-3-Clause",
    "webencodings": "BSD-3-Clause",
    "zict": "BSD-3-Clause",
}
# May go with a program under BSD-3-Clause that imports them and neither contains nor changes them, as IOTA does.
_ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "LGPL-3.0-or-later",
    "LicenseRef-Public-Domain",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "PSF-2.0",
    "Unlicense",
}
_WORDS_OF_EXPRESSIONS = re.compile(r"\b(?:AND|OR|WITH \S+)|[()]")


def write(pythons: dict[str, str]) -> None:
    """Install every lock into a folder of its own, read the licences there and write them to :data:`FILE`."""
    found: dict[str, str] = {}
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            locks = [word for group in GROUPS for word in ("-r", HERE / kind / f"{group}.lock")]
            uv("pip", "install", "--quiet", "--target", folder, "--require-hashes", "--no-deps",
               "--only-binary", ":all:", "--python-version", pythons[kind], *locks)  # fmt: skip
            for one in distributions(path=[folder]):
                found[canonicalize_name(one.metadata["Name"])] = licence(one)
    FILE.write_text(json.dumps(dict(sorted(found.items())), indent=1) + "\n", encoding="utf-8")


def read() -> dict[str, str]:
    """Licences by package."""
    licences: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))
    return licences


def licence(one: Distribution) -> str:
    """What a distribution says of its licence, as an expression of SPDX; else the words of its metadata."""
    fields = one.metadata.json  # of several values for those that may be there more than once
    if read := _READ.get(canonicalize_name(one.name)):
        return read
    if expression := fields.get("license_expression"):
        return str(expression)
    words = " ".join(str(fields.get("license", "")).split())
    if words in _ALLOWED:
        return words
    classifiers = [text.rpartition(" :: ")[2] for text in fields.get("classifier", ()) if text.startswith("License ::")]
    return " AND ".join(sorted(_SPDX.get(text, text) for text in classifiers)) or words[:60] or "unknown"


def is_allowed(expression: str) -> bool:
    """Whether each licence of an expression is among those that may go with IOTA."""
    return set(_WORDS_OF_EXPRESSIONS.sub(" ", expression).split()) <= _ALLOWED
