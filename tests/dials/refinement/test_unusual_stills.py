"""iota.geometry on files that it cannot do well with: one still, one orientation, panels or groups of another detector.

The spots are made in numpy, on 16 panels of 240 pixels in four groups.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

import numpy as np
import pytest
from dials.array_family import flex
from dxtbx.model import BeamFactory, Crystal, Experiment, ExperimentList, Panel
from synthetic_stills import displaced, displacement_px, modules, stills

from iota.engine.backend.hierarchy import in_groups
from iota.engine.geometry.detector import panels_of
from iota.errors import BackendError, UsageError
from iota.geometry.panels import Panels
from iota.inputs.crystfel.groups import Level
from iota.params.refining import GEOMETRY
from iota.refinement.files import refine_to_files

PANELS = modules(4, 4, 240, columns=2)
TRUE = displaced(PANELS, 1, seed=1, px=0.7, degrees=0.0)
QUADRANTS = tuple(PANELS.groups[1].tolist())


@pytest.fixture(scope="module")
def observed():
    """Spots of 24 lattices in random orientations."""
    return stills(TRUE, 24, 1, spots=80)[0]


def write(folder, observed, panels: Panels, groups):
    """Write files with the stills on panels that are in these groups; returns their paths."""
    made = []
    for k, name in enumerate(panels.names):
        panel = Panel()
        panel.set_name(name)
        panel.set_frame(*(tuple(v[k]) for v in (panels.fast, panels.slow, panels.origin_mm)))
        panel.set_pixel_size(tuple(panels.pixel_mm[k]))
        panel.set_image_size(tuple(panels.size_px[k].tolist()))
        panel.set_trusted_range((-1, 65535))
        made.append(panel)
    detector = in_groups(made, [Level(groups, tuple("abcd"))] if groups else [])
    beam = BeamFactory.simple(1.0)
    experiments = ExperimentList()
    for a_star, symbol in zip(observed.a_star, observed.space_group, strict=True):
        crystal = Crystal(*map(tuple, np.linalg.inv(a_star)), space_group_symbol=symbol)
        experiments.append(Experiment(beam=beam, detector=detector, crystal=crystal))
    table = flex.reflection_table()
    table["id"] = flex.int(observed.lattice.astype(int))
    table["miller_index"] = flex.miller_index(list(map(tuple, observed.hkl.tolist())))
    table["panel"] = flex.size_t(observed.panel.astype(int))
    xyz = np.column_stack([observed.xy_mm, np.zeros(len(observed))])
    variance = np.column_stack([1.0 / observed.weight, np.ones(len(observed))])
    table["xyzobs.mm.value"] = flex.vec3_double(*(flex.double(x) for x in xyz.T.copy()))
    table["xyzobs.mm.variance"] = flex.vec3_double(*(flex.double(x) for x in variance.T.copy()))
    experiments.as_file(str(folder / "x.expt"))
    table.as_file(str(folder / "x.refl"))
    return [folder / "x.expt", folder / "x.refl"]


def refined(folder, observed, *assignments, panels=PANELS, groups=QUADRANTS):
    """The record, and the refined panels."""
    values = GEOMETRY.read([], ["unit_cell=79.2 79.2 38.1 90 90 90", *assignments])
    files = write(folder, observed, panels, groups)
    record, output = refine_to_files(files, values, folder / "new", lambda _: contextlib.nullcontext())
    assert json.loads((output / "geometry.json").read_text())["remarks"] == record.remarks
    (detector,) = ExperimentList.from_file(str(output / "refined.expt"), check_format=False).detectors()
    return record, panels_of(detector)


def test_groups_are_moved_into_place(observed, tmp_path):
    record, panels = refined(tmp_path, observed, "levels=0,1")
    assert displacement_px(panels, TRUE) < 0.3 < displacement_px(PANELS, TRUE)
    assert record.is_better
    assert [remark for remark in record.remarks if not remark.startswith("No image")] == []
    text = (tmp_path / "new" / "refined.geom").read_text()
    assert "group_level1_0 = p0,p1,p4,p5\n" in text and text.endswith("group_all = " + ",".join(
        f"level1_{k}" for k in range(4)) + "\n")  # fmt: skip


def test_groups_of_another_detector_get_a_sentence(observed, tmp_path):
    mixed = tuple(np.random.default_rng(3).permutation(QUADRANTS).tolist())
    record, _ = refined(tmp_path, observed, "levels=0,1", groups=mixed)
    assert any(
        remark.startswith("Most panels are closest to one of another group of level 1") for remark in record.remarks
    )


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (np.arange(15), "24 with spots on panels that their detector does not have"),
        (np.arange(16)[::-1], "24 whose indices do not fit the crystal and detector models"),
    ],
)
def test_panels_of_another_detector_are_refused(observed, tmp_path, chosen, sentence):
    panels = replace(
        PANELS,
        **{name: getattr(PANELS, name)[chosen] for name in ("origin_mm", "fast", "slow", "size_px", "pixel_mm")},
        names=tuple(f"p{k}" for k in range(len(chosen))),
        groups=(np.zeros(len(chosen), dtype=int), np.arange(len(chosen))),
    )
    with pytest.raises(BackendError, match=sentence):
        refined(tmp_path, observed, panels=panels, groups=None)
    assert not (tmp_path / "new").exists()


def test_one_still_is_too_few(observed, tmp_path):
    with pytest.raises(UsageError, match=r"1 indexed lattice is too few .* because its orientation would absorb"):
        refined(tmp_path, observed.select(np.array([3])))


def test_stills_in_one_orientation_get_one_sentence(tmp_path):
    same = stills(TRUE, 16, 1, spots=80, same_orientation=True)[0]
    record, panels = refined(tmp_path, same, "levels=0,1")
    (remark,) = (remark for remark in record.remarks if "orientation" in remark)
    assert remark.startswith("All 16 lattices have the same orientation within 0.")
    assert displacement_px(panels, TRUE) < 1.5 * displacement_px(PANELS, TRUE)
