"""Charts of a run from made-up records."""

import pytest

from iota.analysis.charts import ChartColumns, beam_chart, heatmap, write_charts
from iota.records import FrameRef, FrameResult, GridPoint, Lattice


def _result(number, grid=(), **words):
    lattice = Lattice(
        bravais="tP",
        space_group="P 4 2 2",
        unit_cell=(79.0 + 0.1 * number, 79.0 + 0.1 * number, 38.0, 90.0, 90.0, 90.0),
        a_matrix=(0.0,) * 9,
        n_indexed=50,
        d_min_A=2.0 + 0.05 * number,
        **words,
    )
    return FrameResult(
        frame=FrameRef(f"/x/{number}"), name=str(number), outcome="integrated", lattices=[lattice], grid=list(grid)
    )


PLACED = {"beam_centre_mm": (80.0, 90.0), "distance_mm": 130.0, "wavelength_A": 1.0}
GRID = [
    GridPoint(area=3, height=2, signal=2, n_spots=30, n_indexed=20, is_chosen=True),
    GridPoint(area=4, height=2, signal=2, n_spots=25, n_indexed=20),
    GridPoint(area=3, height=4, signal=4, n_spots=5, reason="too few"),
]


def test_what_can_be_drawn_is_drawn_as_png_and_pdf(tmp_path):
    names = write_charts((_result(k, GRID, **PLACED) for k in range(10)), tmp_path / "visualization")
    assert names == ["resolution", "unit_cells", "beam_centre", "spotfinding_heatmap"]
    files = sorted(path.name for path in (tmp_path / "visualization").iterdir())
    assert files == sorted(f"{name}.{ending}" for name in names for ending in ("pdf", "png"))


def test_nothing_to_draw_makes_no_folder(tmp_path):
    blank = FrameResult(frame=FrameRef("/x"), name="x", outcome="failed_triage")
    assert write_charts([blank], tmp_path / "visualization") == []
    assert not (tmp_path / "visualization").exists()


def test_the_heat_map_counts_lattices_and_choices():
    columns = ChartColumns(_result(k, GRID) for k in range(3))
    assert columns.points == {(3, 2): [3, 3, 3], (4, 2): [3, 3, 0], (3, 4): [3, 0, 0]}
    figure = heatmap(columns)
    assert [axes.get_title() for axes in figure.axes[::2]] == ["Indexed frames", "Chosen"]
    assert figure.axes[0].images[0].get_array().tolist() == [[3, 3], [0, 0]]
    assert [figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()] == ["spot area (px)", "spot height"]


def test_the_shift_of_a_misindexed_frame_is_that_of_the_longest_axis():
    columns = ChartColumns([_result(0, **PLACED)])
    assert columns.one_index_mm == [pytest.approx(130.0 / 79.0)]
    labels = [text.get_text() for text in beam_chart(columns).axes[0].get_legend().get_texts()]
    assert "misindexed by one: 1.65 mm" in labels
