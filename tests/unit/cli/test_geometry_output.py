"""What iota.geometry prints."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from iota.cli.geometry import _print_refinement, _print_search, _with_uncertainty
from iota.cli.terminal import plain_console
from iota.engine.questions import FoundGeometry
from iota.refinement.record import Evidence, GeometryRefinement, GeometrySearch, Place, RefinedParameter

MODULE = "/entry/instrument/detector/module_"


def parameter(name, change, uncertainty, unit="mm", level=0, group="detector"):
    is_significant = uncertainty is not None and abs(change) > 3 * uncertainty
    return RefinedParameter(
        name=name, level=level, group=group, change=change, uncertainty=uncertainty, unit=unit,
        is_significant=is_significant,
    )  # fmt: skip


def record(after_px=0.12, **more):
    evidence = Evidence(n_lattices=20, n_spots=4000, rmsd_before_px=0.2, rmsd_after_px=after_px)
    parts = [
        parameter(name, 0.01 * (k + 1), 0.0016, unit, 1, f"{MODULE}{k}")
        for k in range(20)
        for name, unit in (("shift x", "mm"), ("rotation about the beam", "degrees"))
    ]
    return GeometryRefinement(
        source=["integration/001"], started=0.0, versions={}, levels=[0, 1], cells="free", unit_cell=(79.2,) * 6,
        space_group="P 43 21 2", before=Place(distance_mm=131.3, beam_centre_px=(475.2, 534.1)),
        after=Place(distance_mm=130.04, beam_centre_px=(475.19, 534.09)), fit=evidence, test=evidence, n_frames=40,
        n_available=400, n_rejected=3, held=["The rotation about the beam cannot be determined."],
        parameters=[parameter("distance", -1.2626, 0.0195), parameter("tilt about x", 0, None, "degrees"), *parts],
        left_out={"with another unit cell": 2}, files={"refined.expt": "reference geometry"}, **more,
    )  # fmt: skip


def printed(what, show=_print_refinement, folder=Path("geometry/001")):
    console = plain_console(width=100, no_color=True, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        show(console, what, folder, None)
    return capture.get()


def searched(**more):
    known = {
        "found": True, "changed": True, "sentence": "The detector is displaced.", "method": "lattice vectors",
        "n_frames": 60, "n_hits": 57, "n_indexed": 50, "ratio": 9.0, "shift_px": (3.0, 2.0),
        "shift_esd_px": (0.021, 0.004), "distance_before_mm": 131.3, "distance_after_mm": 130.04,
        "beam_centre_before_px": (478.2, 532.1), "beam_centre_after_px": (475.21, 534.08),
        "left_out": {"failed import": 3},
    }  # fmt: skip
    return GeometrySearch(
        source=["integration/001"], started=0.0, versions={}, unit_cell=None, space_group=None, n_lattices=2,
        n_available=400, result=FoundGeometry(**{**known, **more}), files={"found.expt": "reference geometry"},
    )  # fmt: skip


def test_what_a_search_found_is_printed_with_the_next_command():
    said = " ".join(printed(searched(), _print_search).split())
    assert "57 of 400 with enough spots; excluded: 3 failed import" in said and "The detector is displaced." in said
    assert "131.300 → 130.040 mm" in said and "478.20, 532.10 → 475.21, 534.08 ± 0.02 px (fast, slow)" in said
    assert f"advanced.reference_geometry={Path('geometry/001/found.expt').absolute()}" in said
    assert msgspec.json.decode(msgspec.json.encode(searched()), type=GeometrySearch) == searched()


def test_a_geometry_that_is_right_is_kept():
    said = " ".join(printed(searched(changed=False), _print_search, None).split())
    assert "keep the geometry" in said and "→" not in said and "reference_geometry" not in said


def test_changes_are_printed_with_uncertainties_and_what_is_not_determined_without_a_number():
    said = printed(record())
    assert "20 of 400 on 40 images; excluded: 2 with another unit cell" in said
    assert "131.300 → 130.040 mm" in said and "0.200 → 0.120 px for 4,000 spots" in said
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert "distance (mm) -1.2626 0.0195 significant" in lines
    assert "tilt about x (degrees) - - not determined" in lines
    assert "module_19 +0.200(2) +0.200(2)" in lines  # without the path
    assert sum(line.startswith("module_") for line in lines) == 16  # those that moved most
    assert "the 16 with the most significant motions of 20" in " ".join(lines)
    assert "advanced.reference_geometry=" in said


def test_a_geometry_that_is_not_better_is_not_recommended():
    said = printed(record(after_px=0.21))
    assert "keep the geometry" in said and "advanced.reference_geometry=" not in said
    worse = Evidence(n_lattices=20, n_spots=4000, rmsd_before_px=0.3, rmsd_after_px=0.31)
    assert record(test_known=worse).is_better  # the cells of crystals vary more than a small motion shows
    far_worse = msgspec.structs.replace(worse, rmsd_after_px=0.6)
    assert not record(test_known=far_worse).is_better
    assert msgspec.json.decode(msgspec.json.encode(record()), type=GeometryRefinement) == record()


@pytest.mark.parametrize(
    ("change", "uncertainty", "text"),
    [
        (0.0726, 0.0030, "+0.073(3)"),
        (-0.0055, 0.00973, "-0.01(1)"),
        (0.01, 0.0094, "+0.010(9)"),
        (1.26, 12.0, "+1(12)"),
        (1, None, "-"),
    ],
)
def test_uncertainties_are_those_of_the_last_digit(change, uncertainty, text):
    assert _with_uncertainty(parameter("shift x", change, uncertainty)) == text
