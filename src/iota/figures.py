"""Figures of matplotlib, always drawn in its own style.

matplotlib takes settings from a ``matplotlibrc`` in the current folder, which may be one of somebody else's images:
colours and sizes, and that texts are set by TeX, with commands of its choice.
"""

from __future__ import annotations

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvasAgg
from matplotlib.figure import Figure as Figure

matplotlib.rcdefaults()
