"""Faster prediction and shoebox masks for DIALS' integration of stills.

``Processor.integrate`` itself is not changed.  It gets predictions and the foreground of shoeboxes from the profile
model of a crystal, which this module replaces by one that computes these two itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from dials.algorithms.profile_model.factory import ProfileModelFactory
from dxtbx.model.experiment_list import Experiment

from iota.engine.stills.still_foreground import mark_foreground
from iota.engine.stills.still_prediction import predict_still


class StillProfile:
    """A profile model of DIALS with faster methods for stills; all other calls are passed on.

    It must not refer to its experiment: the way back goes through C++, where Python collects no cycle, and the image
    of the frame would stay in memory with it.
    """

    def __init__(self, profile: Any) -> None:
        self._profile = profile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._profile, name)

    def predict_reflections(
        self, _imageset: Any, crystal: Any, beam: Any, detector: Any, *_: Any, dmin: float | None = None, **__: Any
    ) -> Any:
        """Predict the reflections of the still (DIALS' interface)."""
        return predict_still(Experiment(crystal=crystal, beam=beam, detector=detector), dmin)

    def compute_mask(self, reflections: Any, crystal: Any, beam: Any, detector: Any, *_: Any, **__: Any) -> None:
        """Mark foreground and background in the shoeboxes (DIALS' interface)."""
        mark_foreground(reflections, detector, self._profile.n_sigma() * self._profile.sigma_b(deg=False))


def _is_still_with_mosaicity(experiment: Any) -> bool:
    return (
        experiment.scan is None
        and hasattr(experiment.crystal, "get_half_mosaicity_deg")
        and hasattr(experiment.profile, "sigma_b")
    )


@contextlib.contextmanager
def still_profiles() -> Iterator[None]:
    """Context in which the profile models that DIALS makes for stills are :class:`StillProfile`."""
    create = ProfileModelFactory.create

    def create_still(params: Any, experiments: Any, reflections: Any = None) -> Any:
        made = create(params, experiments, reflections)
        for experiment in made:
            if _is_still_with_mosaicity(experiment):
                experiment.profile = StillProfile(experiment.profile)
        return made

    ProfileModelFactory.create = staticmethod(create_still)
    try:
        yield
    finally:
        ProfileModelFactory.create = staticmethod(create)
