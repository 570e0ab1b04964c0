"""Matplotlib figures with its default style, whatever matplotlibrc is in the current folder.

matplotlib reads settings from a ``matplotlibrc`` in the current folder, which may contain somebody else's images: not
only colours and sizes, but also typesetting by TeX, with arbitrary commands.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Figure

from iota.atomic_files import atomic_file

matplotlib.rcdefaults()


def write_figure(figure: Figure, folder: Path, name: str) -> None:
    """Write ``name.png`` and ``name.pdf``.

    Raises:
        OSError: the folder cannot be written.
    """
    FigureCanvasAgg(figure)
    for ending in ("png", "pdf"):
        with atomic_file(folder / f"{name}.{ending}") as part:
            figure.savefig(part, dpi=150)
