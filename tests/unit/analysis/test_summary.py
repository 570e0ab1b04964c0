import pytest
from libtbx import phil
from made_runs import blank, made_run

from iota.analysis.cells.lattices import group_lattices, sub_lattices, supporters
from iota.analysis.intensities.prime import prime_script
from iota.analysis.summary import SummaryBuilder, summary_of
from iota.analysis.table.table import RunTable
from iota.causes import Cause
from iota.cli.next_steps import next_steps
from iota.cli.summary import summary_text
from iota.crystallography.lattices import niggli_cell
from iota.processing.conclusion import Conclusion
from iota.records import OUTCOME_WORDS, OUTCOMES, FrameRef, FrameResult, Lattice


def _result(k, outcome="integrated", lattices=(), **words):
    return FrameResult(frame=FrameRef(f"/d/{k}.cbf"), name=str(k), outcome=outcome, lattices=list(lattices), **words)


def _lattice(cell=(79.2, 79.2, 38.1, 90, 90, 90), bravais="tP", group="P 4 2 2", **words):
    return Lattice(
        bravais=bravais,
        space_group=group,
        unit_cell=cell,
        a_matrix=(1,) * 9,
        n_indexed=50,
        **({"d_min_A": 2.0} | words),
    )


def test_counts_add_up_and_every_outcome_is_counted():
    builder = SummaryBuilder(8)
    for k, outcome in enumerate(["failed_import", "failed_triage", "failed_refinement", "crashed", "timed_out"]):
        builder.add(_result(k, outcome))
    builder.add(_result(9, lattices=[_lattice()]))
    summary = builder.summary()
    assert summary.n_finished == 6
    assert summary.n_hits == 2
    assert summary.n_integrated == 1
    assert sum(summary.counts.values()) == 6


def test_the_terminal_says_outcomes_in_the_words_of_the_pages(tmp_path):
    run = made_run(tmp_path, [blank(0), blank(1)])
    builder = SummaryBuilder(3)
    builder.add(_result(0, "failed_triage"))
    builder.add(_result(1, "failed_spotfinding"))
    words = " ".join(summary_text(Conclusion(summary=builder.summary()), [], run).split())
    assert "no diffraction 1 33.3 %" in words
    assert "failed spot finding 1 33.3 %" in words
    assert "triage " not in words
    assert set(OUTCOME_WORDS) == set(OUTCOMES)


def test_the_consensus_is_the_most_frequent_lattice_and_its_cell_the_median():
    builder = SummaryBuilder(20)
    for k in range(9):
        a = 79.0 + 0.05 * k
        builder.add(
            _result(
                k, lattices=[_lattice((a, a, 38.1, 90, 90, 90), n_integrated=100 + k)], files={"experiments": f"{k}"}
            )
        )
    builder.add(_result(10, lattices=[_lattice((79.2, 80.9, 38.1, 90, 90, 90), "oP", "P 2 2 2")]))
    builder.add(_result(11, lattices=[_lattice((58.4, 58.4, 152.2, 90, 90, 90))]))
    summary = builder.summary()
    assert summary.consensus.bravais == "tP"
    assert summary.consensus.n_lattices == 9
    assert summary.consensus.unit_cell[0] == pytest.approx(79.2)
    assert summary.consensus.unit_cell_spread[0] == pytest.approx(1.4826 * 0.1, rel=0.01)
    assert summary.other_bravais == {"oP": 1}
    assert summary.best_files == {"experiments": "8"}


def test_several_lattices_of_one_frame_all_count():
    builder = SummaryBuilder(1)
    builder.add(_result(0, lattices=[_lattice(), _lattice()]))
    summary = builder.summary()
    assert (summary.n_lattices, summary.n_multi_lattice_frames, summary.n_integrated) == (2, 1, 1)


def test_nothing_integrated_is_a_summary_too():
    summary = SummaryBuilder(3).summary()
    assert summary.consensus is None
    assert summary.n_finished == 0


def test_super_cells_make_a_group_of_their_own_that_knows_its_sub_lattice():
    true, doubled = (58.4, 58.4, 152.2, 90, 90, 90), niggli_cell((58.4, 116.8, 152.2, 90, 90, 90))
    groups = group_lattices([("a", doubled), ("b", doubled), ("c", true), ("a", doubled)])
    assert [g.members for g in groups] == [["a", "b"], ["c"]]
    assert [g.members for g in sub_lattices(groups[0], groups)] == [["c"]]
    assert sub_lattices(groups[1], groups) == []
    assert supporters(groups[1], groups) == {"a", "b", "c"}


def test_the_script_for_prime_is_filled_in_and_prime_would_understand_it(tmp_path):
    builder = SummaryBuilder(1)
    assert prime_script(builder.summary(), None, tmp_path, tmp_path, 1) is None
    builder.add(_result(0, lattices=[_lattice(pixel_size_mm=0.172, d_min_A=1.9)]))
    text = prime_script(builder.summary(), 'my "best" run', tmp_path / "final", tmp_path / "prime", 4)
    words = {item.path: item.object.words[0].value for item in phil.parse(text).all_definitions()}
    assert words["data"] == str(tmp_path / "final")
    assert words["title"] == 'my "best" run'
    assert words["merge.d_min"] == words["postref.allparams.d_min"] == "1.90"
    assert words["target_space_group"] == "P 4 2 2"
    assert words["pixel_size_mm"] == "0.172"
    # one molecule of lysozyme, 129 residues, fills the asymmetric unit of P 43 21 2 at 2.05 A^3/Da
    assert int(words["n_residues"]) == pytest.approx(129, rel=0.2)


def test_the_installed_prime_knows_every_name(tmp_path):
    prime = pytest.importorskip("prime.postrefine.mod_input", reason="PRIME is not installed")
    builder = SummaryBuilder(1)
    builder.add(_result(0, lattices=[_lattice(pixel_size_mm=0.172)]))
    text = prime_script(builder.summary(), None, tmp_path, tmp_path / "prime", 4)
    working, unused = prime.master_phil.fetch(source=phil.parse(text), track_unused_definitions=True)
    assert unused == []
    assert working.extract().target_unit_cell.parameters() == pytest.approx((79.2, 79.2, 38.1, 90, 90, 90))


UNREAD, BLANK = ("failed_import", Cause.PIXELS_DAMAGED), ("failed_triage", Cause.TOO_FEW_SPOTS)
TOO_MANY = ("too_many_spots", Cause.TOO_MANY_SPOTS)


@pytest.mark.parametrize(
    ("failures", "says"),
    [
        ([UNREAD], "No frame could be read; "),
        ([UNREAD, UNREAD, BLANK], "Only 1 of 3 frames could"),
        ([BLANK, BLANK], "No frame has enough spots."),
        ([BLANK, BLANK, TOO_MANY], "2 of 3 frames do not have"),
        ([TOO_MANY, TOO_MANY], "All frames have too many spots."),
        ([("failed_spotfinding", Cause.TOO_MANY_STRONG_PIXELS)], "image_import.estimate_gain"),
        (
            [("failed_spotfinding", Cause.MASK_SHAPE)],
            "All frames ended with outcome 'failed spot finding'; ",
        ),
        ([("crashed", None)] * 3 + [("timed_out", None)], "3 of 4 frames ended with outcome 'crashed'; "),
    ],
)
def test_without_a_hit_the_next_step_is_about_what_ended_most_frames(tmp_path, failures, says):
    results = [_result(k, outcome) for k, (outcome, _) in enumerate(failures)]
    for result, (_, cause) in zip(results, failures, strict=True):
        result.cause = cause
    folder = made_run(tmp_path, results)
    table = RunTable(folder)
    table.update()
    (step,) = next_steps(Conclusion(summary=summary_of(table, len(results))), folder)
    assert says in step


@pytest.mark.parametrize(
    ("target", "is_asked"),
    [
        ("", True),
        ("indexing.known_symmetry.unit_cell = 79.2 79.2 38.1 90 90 90\n", False),
    ],
)
def test_a_space_group_is_asked_for_where_the_unit_cell_was_not_given(tmp_path, target, is_asked):
    files = {"experiments": "x", "reflections": "y"}
    results = [_result(k, lattices=[_lattice()], files=files, settings="any words") for k in range(2)]
    folder = made_run(tmp_path, results)
    folder.write_text(folder.target, target)
    table = RunTable(folder)
    table.update()
    steps = next_steps(Conclusion(summary=summary_of(table, 2)), folder)
    assert ("once the space group is known" in " ".join(steps)) == is_asked


def test_frames_without_a_usable_gain_are_named_beside_a_lattice(tmp_path):
    results = [_result(k, lattices=[_lattice()], files={"experiments": "x", "reflections": "y"}) for k in range(3)]
    results.append(_result(9, "failed_spotfinding"))
    results[-1].cause, results[-1].values = Cause.TOO_MANY_STRONG_PIXELS, {"n_pixels": 12345}
    folder = made_run(tmp_path, results)
    table = RunTable(folder)
    table.update()
    steps = next_steps(Conclusion(summary=summary_of(table, 4)), folder)
    assert "1 of 4 frames have too many strong pixels" in steps[0] and "iota.merge" in " ".join(steps)


def test_images_that_only_a_crystfel_geometry_describes_are_looked_at_in_the_browser(tmp_path):
    folder = made_run(
        tmp_path,
        [_result(k, lattices=[_lattice()], files=dict.fromkeys(("experiments", "reflections"), "x")) for k in range(3)],
    )
    table = RunTable(folder)
    table.update()
    conclusion = Conclusion(summary=summary_of(table, 3))
    assert "iota.image_viewer" in next_steps(conclusion, folder)[0]
    folder.crystfel_geometry.write_text("clen = 0.1\n")
    step = next_steps(conclusion, folder)[0]
    assert "iota.image_viewer" not in step and step.endswith(f"on the page of run {folder.number}")
