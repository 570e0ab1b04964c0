"""Charts of made-up records: what they describe, and that pages and files show the same."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from made_runs import blank, hit, lattice, made_run
from matplotlib.text import Text

from iota.analysis.intensities.merged import CurvePoint, Shell
from iota.analysis.summary import summary_of
from iota.analysis.table.table import RunTable
from iota.causes import Cause
from iota.charts.description import Axis, Bar, Bars, Cells, Chart, Line, Row, Rows, Segment, Swatch, Upright
from iota.charts.figures_of_run import write_merging_figure, write_run_figures
from iota.charts.files import Sheet, figure_of
from iota.charts.histograms import CELL, RESOLUTION
from iota.charts.merging import by_resolution, multiplicity, over_lattices, strength
from iota.charts.run_charts import RunCharts
from iota.charts.spot_settings import heat_maps
from iota.charts.svg import svg
from iota.records import GridPoint

SVG = "{http://www.w3.org/2000/svg}"
GRID = [
    GridPoint(area=3, height=2, signal=2, n_spots=30, n_indexed=20, is_chosen=True),
    GridPoint(area=4, height=2, signal=2, n_spots=25, n_indexed=20),
    GridPoint(area=3, height=4, signal=4, n_spots=5, cause=Cause.TOO_FEW_SPOTS),
]
SHELLS = [
    Shell(d_max_A=9.0 / k, d_min_A=9.0 / (k + 1), n_observations=10, n_unique=9, n_possible=10, completeness=1 - k / 20,
          multiplicity=6.0 - k, i_over_sigma=12.0 / k, cc_half=None if k == 2 else 1 - k / 10)
    for k in range(1, 5)
]  # fmt: skip
CURVE = [CurvePoint(n_lattices=50 * k, cc_half=1 - 0.5 / k, completeness=1 - 0.4**k) for k in range(1, 6)]


def _hit(k):
    found = hit(k, lattice(a=79.0 + 0.1 * k, d_min_A=2.0 + 0.05 * k, distance_mm=130.0, wavelength_A=1.0))
    found.grid = GRID
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A table over ten hits of a grid search and a blank, and its summary."""
    return _table(made_run(tmp_path_factory.mktemp("run"), [*map(_hit, range(10)), blank(10)]))


def _table(folder):
    table = RunTable(folder)
    table.update()
    return table, summary_of(table, table.n_rows)


def _charts(run):
    charts = RunCharts(run[0])
    charts.count(run[0].n_rows, run[1])
    return charts


def _texts(picture):
    return {node.text for node in ET.fromstring(picture).iter(f"{SVG}text")}


def _texts_in_file(chart):
    figure = figure_of(Sheet(name="x", charts=[chart]))
    figure.draw_without_rendering()
    said = [text.get_text().split("\n") for text in figure.findobj(Text) if text.get_visible()]
    return {line for lines in said for line in lines if line}


# -- files of a run


def test_what_can_be_drawn_is_drawn_as_png_and_pdf(run, tmp_path):
    names = write_run_figures(*run, tmp_path / "visualization")
    assert names == ["resolution", "unit_cells", "beam_centre", "spotfinding_heatmap"]
    write_merging_figure(SHELLS, CURVE, tmp_path / "visualization")
    files = {path.name: path.read_bytes()[:4] for path in (tmp_path / "visualization").iterdir()}
    starts = {"png": b"\x89PNG", "pdf": b"%PDF"}
    expected = {f"{name}.{end}": start for name in [*names, "merging"] for end, start in starts.items()}
    assert files == expected


def test_nothing_to_draw_makes_no_folder(tmp_path):
    table, summary = _table(made_run(tmp_path, [blank(0)]))
    assert write_run_figures(table, summary, tmp_path / "visualization") == []
    assert not (tmp_path / "visualization").exists()


# -- what charts describe


def test_the_heat_maps_count_lattices_and_choices():
    maps = heat_maps({(3, 2): [3, 3, 3], (4, 2): [3, 3, 0], (3, 4): [3, 0, 0]})
    assert [chart.notes for chart in maps] == [
        ["Frames indexed with each setting"],
        ["Frames for which each setting was chosen"],
    ]
    assert [chart.marks[0].texts for chart in maps] == [[["3", "3"], ["0", "0"]], [["3", "0"], ["0", "0"]]]
    assert (maps[0].x.title, maps[0].y.title) == ("spot area (px)", "spot height")
    assert maps[0].x.tick_texts(9) == [(0.5, "3"), (1.5, "4")]


def test_the_shift_of_a_misindexed_frame_is_that_of_the_longest_axis(run):
    assert f"circle: misindexed by one ({130.0 / 79.0:.2f} mm)" in _charts(run).beam().notes


def test_better_resolution_is_to_the_right_on_page_and_in_file(run):
    chart = _charts(run).histogram(RESOLUTION.name)
    assert chart.x.ends == (chart.x.high, chart.x.low)
    axes = figure_of(Sheet(name="x", charts=[chart])).axes[0]
    assert axes.get_xlim() == chart.x.ends
    assert [bar.get_height() for bar in axes.patches] == [bar.value for bar in chart.marks[0].bars]
    assert sum(bar.value for bar in chart.marks[0].bars) == 10


def test_shells_without_a_value_have_no_point():
    quality, single = by_resolution(SHELLS), strength(SHELLS)
    assert [x for x, _ in quality.marks[0].points] == [0.5, 2.5, 3.5]
    assert quality.marks[1].points == [(k + 0.5, pytest.approx(95 - 5 * k)) for k in range(4)]
    assert single.marks[0].points[1] == (1.5, 6.0)
    assert [words for _, words in quality.x.tick_texts(9)] == ["4.50", "3.00", "2.25", "1.80"]


def test_an_axis_has_two_numbers_however_narrow():
    assert [words for _, words in Axis(low=1.51, high=2.33).tick_texts(3)] == ["1.6", "1.8", "2.0", "2.2"]
    assert [words for _, words in Axis(high=0.9, is_whole=True).tick_texts(4)] == ["0"]


# -- painters


def test_pages_and_files_say_the_same(run):
    made = _charts(run)
    charts = [made.histogram(CELL[0].name), made.histogram(RESOLUTION.name), made.beam(), made.rates(),
              *heat_maps({(3, 2): [3, 3, 3], (4, 6): [3, 0, 1]}), by_resolution(SHELLS), over_lattices(CURVE),
              strength(SHELLS), multiplicity(SHELLS)]  # fmt: skip
    for chart in charts:
        said = {chart.x.title, chart.y.title, *chart.notes, *(line.name for line in chart.legend)}
        said |= {mark.words for mark in chart.marks if isinstance(mark, Upright)}
        said |= {words for mark in chart.marks if isinstance(mark, Cells) for row in mark.texts or () for words in row}
        assert said
        for where, texts in (("page", _texts(svg(chart))), ("file", _texts_in_file(chart))):
            assert said <= texts, (chart.title, where, said - texts)


@pytest.mark.parametrize("paint", [lambda chart: _texts(svg(chart)), _texts_in_file], ids=["page", "file"])
def test_a_chart_of_nothing_is_a_sentence(tmp_path, paint):
    table, summary = _table(made_run(tmp_path, [blank(0)]))
    charts = _charts((table, summary))
    expected = [
        (charts.histogram(CELL[0].name), "No integrated lattices yet"),
        (charts.beam(), "No integrated lattices yet"),
        (heat_maps({})[0], "No grid search in this run"),
        (over_lattices([]), "No merged intensities"),
        (strength([]), "No merged intensities"),
    ]
    assert [paint(chart) for chart, _ in expected] == [{sentence} for _, sentence in expected]


@pytest.fixture(scope="module")
def everything():
    """All that a chart can have."""
    return Chart(
        title="All", size=(400.0, 300.0), caption="caption", notes=["a < b & c"],
        x=Axis(label="x", high=4.0), y=Axis(label="counts", high=3.0, is_whole=True),
        right=Axis(label="angle", unit="°", low=-1.0, high=1.0, is_flipped=True),
        marks=[
            Cells(np.full((2, 2, 4), 255, np.uint8), (0, 4), (0, 3)),
            Bars([Bar(0, 1, 2.0, "tip <1>", "0:1"), Bar(1, 2, 0.0)], "#123456"),
            Line(points=[(0.0, 0.0), (4.0, 1.0)], name="on the right", is_on_right=True, dashes=(4, 2), has_dots=True),
            Line(points=[], name="nothing yet"),
        ],
        swatches=[Swatch("not measured", "#808080", 0.3), Swatch("not finished")],
    )  # fmt: skip


def test_a_page_gets_tips_picks_and_all_axes(everything):
    tree = ET.fromstring(svg(everything))
    texts = {node.text for node in tree.iter(f"{SVG}text")}
    assert {"caption", "a < b & c", "counts", "angle (°)", "nothing yet", "not measured", "not finished"} <= texts
    assert {"0", "1", "2", "3"} <= texts and "1.5" not in texts  # whole counts
    group = next(node for node in tree.iter(f"{SVG}g") if node.get("data-pick"))
    assert (group.get("data-pick"), group.find(f"{SVG}title").text) == ("0:1", "tip <1>")
    line = next(tree.iter(f"{SVG}polyline")).get("points").split()
    tops = [float(point.split(",")[1]) for point in line]
    assert tops[1] > tops[0]  # the right axis is flipped: larger is lower
    assert len(list(tree.iter(f"{SVG}polyline"))) == 1  # a line without points is in the legend only


def test_a_file_gets_the_same_axes_and_legend(everything):
    first, right = figure_of(Sheet(name="x", charts=[everything])).axes
    assert (first.get_xlim(), first.get_ylim(), right.get_ylim()) == ((0, 4), (0, 3), (1, -1))
    assert [text.get_text() for text in first.get_legend().get_texts()] == [
        "on the right", "nothing yet", "not measured", "not finished"
    ]  # fmt: skip
    assert first.get_title(loc="left") == "caption\na < b & c"
    assert [line.get_linestyle() for line in right.lines] == ["--"]


def test_rows_fill_their_width_however_small_the_parts():
    values = [1_000_000, 1, 1, 300_000, 2]
    row = Row([Segment(value=v, colour="#123456", pick=str(v)) for v in values])
    rects = list(ET.fromstring(svg(Rows(title="x", width=802, whole=sum(values), rows=[row]))).iter(f"{SVG}rect"))
    widths = [float(rect.get("width")) + 1 for rect in rects]
    assert sum(widths) == pytest.approx(800, abs=0.1)
    assert min(widths) >= 7
    assert widths[0] / widths[3] == pytest.approx(10 / 3, rel=0.03)
