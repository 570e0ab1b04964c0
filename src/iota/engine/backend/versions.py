"""Differences between versions of DIALS, detected by inspection rather than by version number.

What each difference does to a run: docs/decisions/0016-two-backends.md.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import libtbx

_DEFAULT_RMSD_PX = 2.0  # of ``rmsd_min_px``, which newer versions keep beside its successor


@lru_cache(maxsize=1)
def masked_pixels_spread() -> bool:
    """Whether the threshold ``dispersion_extended`` finds strong pixels beside masked ones (DIALS after 3.12).

    It calls a pixel strong only if counts spread at all pixels near to it.  Where a masked pixel fails this, spots lose
    what lies beside gaps and dead pixels; where it passes, they keep it.
    """
    from dials.algorithms.image.threshold import DispersionExtendedThreshold
    from dials.array_family import flex

    size = 15
    image, mask, strong = (kind(flex.grid(size, size)) for kind in (flex.double, flex.bool, flex.bool))
    for j in range(size):
        for i in range(size):
            image[j, i] = 100.0 if 5 <= j < 10 and 5 <= i < 10 else float((i + j) % 2)
            mask[j, i] = True
    mask[7, 7] = False  # in the middle of the spot
    DispersionExtendedThreshold((size, size), (3, 3), 6.0, 3.0, 0.0, 2)(image, mask, strong)
    return bool(strong[7, 8])


@lru_cache(maxsize=1)
def trusts_the_highest() -> bool:
    """Whether the end of a trusted range belongs to it (DIALS after 3.12)."""
    from dials.array_family import flex
    from dxtbx.model import Panel

    probe = Panel()
    probe.set_image_size((1, 1))
    probe.set_trusted_range((0, 10))
    counts = flex.int(flex.grid(1, 1), 10)
    return bool(probe.get_trusted_range_mask(counts)[0])


def frame_class() -> Any:
    """Class that makes the contents of integration pickles from reflections and an experiment; slow to import."""
    if find_spec("serialtbx") is not None:
        from serialtbx.util.construct_frame import ConstructFrame
    else:
        from xfel.command_line.frame_extractor import ConstructFrame
    return ConstructFrame


def largest_rmsd_px(indexing: Any) -> float:
    """Largest RMSD (px) of an accepted lattice: a parameter of stills or, in newer versions, of all indexing."""
    of_stills = float(indexing.stills.rmsd_min_px)
    of_all = getattr(indexing.basis_vector_combinations, "xy_rmsd_threshold", libtbx.Auto)
    return of_stills if of_all is libtbx.Auto or of_stills != _DEFAULT_RMSD_PX else float(of_all)


def draws_spots(indexing: Any) -> bool:
    """Whether indexing is repeated with randomly selected spots, which older versions do not support."""
    drawing = getattr(indexing.stills, "reflection_subsampling", None)
    return bool(drawing is not None and drawing.enable)


def keeps_indexers() -> bool:
    """Whether ``dials.stills_process`` reuses the indexer of the previous frame (after 3.12).

    Its numbers then depend on the order of frames and on the number of processes; those of IOTA, which begins each
    frame afresh, are the ones it has for a frame alone.
    """
    from dials.command_line.stills_process import Processor

    return "idxr" in Processor.__init__.__code__.co_names
