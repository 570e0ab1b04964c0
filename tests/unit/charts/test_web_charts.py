"""Charts as text, and the counts behind them."""

import base64
import itertools
import re
import time
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest

from iota.analysis.cells.proportions import wilson_intervals
from iota.analysis.rates import RatesOverTime
from iota.charts import beam, histograms, outcomes, spot_settings
from iota.charts.axes import number_text, ticks
from iota.charts.colours import BY_CODE, few_to_many
from iota.charts.counting import FineHistogram
from iota.charts.rates import rates
from iota.charts.svg import svg
from iota.charts.svg_shapes import png
from iota.records import OUTCOMES

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture):
    """All that a chart says, and proof that it is well-formed."""
    return ["".join(node.itertext()) for node in ET.fromstring(picture).iter(f"{SVG}text")]


def picks(picture):
    return [node.get("data-pick") for node in ET.fromstring(picture).iter() if node.get("data-pick")]


def test_ticks_are_round_and_within():
    assert ticks(0.0, 10.0, 5) == [0, 2, 4, 6, 8, 10]
    assert ticks(79.03, 79.31, 4) == pytest.approx([79.1, 79.2, 79.3])
    assert [number_text(v, s) for v, s in ((0.5, 0.1), (20000, 5000), (1.5e6, 5e5), (-3, 1), (0, 0.1))] == [
        "0.5",
        "20k",
        "1.5M",
        "\N{MINUS SIGN}3",
        "0.0",
    ]


# -- colours


def linear(colour):
    c = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


SIGHT = {  # Machado et al. (2009), severity 1
    "normal": np.eye(3),
    "red-blind": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "green-blind": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "blue-blind": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.mark.parametrize("sight", SIGHT)
def test_outcomes_can_be_told_apart_by_everybody(sight):
    seen = [lab(np.array(SIGHT[sight]) @ linear(colour)) for colour in BY_CODE]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 19


def test_outcomes_stand_out_from_light_and_dark_pages():
    luminance = [linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in BY_CODE]
    dark = linear("#12171c") @ [0.2126, 0.7152, 0.0722]
    assert all(1.05 / (y + 0.05) >= 2 and (y + 0.05) / (dark + 0.05) >= 2 for y in luminance)


def test_more_is_lighter():
    light = few_to_many(np.linspace(0, 1, 20)) @ [0.2126, 0.7152, 0.0722]
    assert np.all(np.diff(light) > 0)


# -- counting


def test_counts_that_grew_are_those_of_all_at_once():
    values = np.random.default_rng(1).normal(79.2, 0.1, 30_000).astype(np.float32)
    values[::7] = np.nan
    grown, whole = (histograms.CELL[0].fine_histogram() for _ in range(2))
    for part in np.array_split(values, 37):
        grown.add(part)
    whole.add(values)
    assert np.array_equal(grown.counts, whole.counts)
    assert whole.n == np.isfinite(values).sum()
    assert whole.bars().median == pytest.approx(np.nanmedian(values), abs=0.01)


def test_bars_hold_what_numpy_counts_and_strays_are_told():
    values = np.concatenate([np.random.default_rng(2).normal(25, 5, 5000), [-150, 700, 701]])
    fine = histograms.WILSON.fine_histogram()
    fine.add(values)
    bars = fine.bars()
    expected, _ = np.histogram(np.rint(values * 10) / 10, bins=bars.edges)
    assert bars.counts.tolist() == expected.tolist()
    assert bars.n_outside == len(values) - expected.sum()
    assert bars.n_outside >= 3
    assert bars.edges[-1] < 100


def test_all_of_one_value_makes_one_bar():
    fine = histograms.CELL[3].fine_histogram()
    fine.add(np.full(43, 90.0))
    bars = fine.bars()
    assert bars.median == 90.0
    assert bars.counts.max() == bars.counts.sum() == 43


def test_values_beyond_all_bounds_are_counted_at_the_ends():
    fine = FineHistogram(0, 10, 0.1)
    fine.add(np.array([-5.0, 1e30, np.inf, 5.0]))
    assert (fine.n, fine.counts[0], fine.counts[-1]) == (3, 1, 1)


def test_rates_grow_with_doubling_steps():
    finished = np.sort(np.random.default_rng(3).uniform(0, 50_000, 20_000)) + 1e9
    codes = [OUTCOMES.index(name) for name in ("integrated", "failed_triage", "failed_indexing")]
    outcome = np.random.default_rng(4).choice(codes, 20_000).astype(np.uint8)
    grown = RatesOverTime()
    for k in range(0, 20_000, 333):
        grown.add(finished[k : k + 333], outcome[k : k + 333])
    edges, counts = grown.points()
    assert len(counts) <= 48
    assert counts.sum(axis=0).tolist() == [20_000, (outcome != 2).sum(), (outcome == 0).sum(), (outcome == 0).sum()]
    inside = (finished - finished[0] >= edges[3]) & (finished - finished[0] < edges[4])
    assert counts[3, 0] == inside.sum()


def test_interval_is_wilsons():
    low, high = wilson_intervals(np.array([8, 0]), np.array([10, 20]))
    assert low.tolist() == pytest.approx([0.4902, 0.0], abs=1e-3)
    assert high.tolist() == pytest.approx([0.9433, 0.1611], abs=1e-3)


def test_a_million_rows_take_less_than_100_ms_an_update():
    rng = np.random.default_rng(5)
    fine = {q.name: q.fine_histogram() for q in (*histograms.CELL, histograms.WILSON, histograms.RESOLUTION)}
    over_time = RatesOverTime()
    n = 1_000_000
    for q in fine:
        fine[q].add(rng.normal(80, 3, n).astype(np.float32))
    finished = np.sort(rng.uniform(0, 36_000, n)) + 1e9
    over_time.add(finished, rng.choice([0, 2, 4], n).astype(np.uint8))
    new, at, what = rng.normal(80, 3, 1000), 1e9 + 36_000 + np.arange(1000.0), np.zeros(1000, np.uint8)
    took = []
    for _ in range(5):
        start = time.perf_counter()
        for name, one in fine.items():
            one.add(new)
            svg(histograms.histogram(histograms.QUANTITIES[name], one.bars()))
        over_time.add(at, what)
        svg(rates(*over_time.points()))
        took.append(time.perf_counter() - start)
    assert min(took) < 0.1, took


# -- what charts say


def test_histogram_says_its_unit_and_can_be_picked():
    fine = histograms.RESOLUTION.fine_histogram()
    fine.add(np.random.default_rng(1).normal(2.1, 0.2, 500))
    picture = svg(histograms.histogram(histograms.RESOLUTION, fine.bars()))
    said = texts(picture)
    assert "resolution (Å)" in said
    assert "lattices" in said
    assert any(re.fullmatch(r"median 2\.\d\d Å", text) for text in said)
    limits = [[float(x) for x in pick.split(":")] for pick in picks(picture)]
    assert all(low < high for low, high in limits)
    rects = [node for node in ET.fromstring(picture).iter(f"{SVG}rect") if node.get("fill") == "transparent"]
    x = [float(node.get("x")) for node in rects]
    assert x == sorted(x, reverse=True)  # better to the right


def test_histogram_without_values_says_so():
    picture = svg(histograms.histogram(histograms.WILSON, histograms.WILSON.fine_histogram().bars()))
    assert texts(picture) == ["No integrated lattices yet"]


def test_the_consensus_is_marked():
    fine = histograms.CELL[0].fine_histogram()
    fine.add(np.random.default_rng(1).normal(79, 0.3, 500))
    picture = svg(histograms.histogram(histograms.CELL[0], fine.bars(), mark=78.9, mark_words="consensus"))
    assert "consensus 78.90 Å" in texts(picture)


def test_outcome_bar_has_every_outcome_in_proportion():
    counts = {outcome: 10 * (k + 1) for k, outcome in enumerate(OUTCOMES)}
    picture = svg(outcomes.outcome_bar(counts, sum(counts.values()) + 50))
    assert set(picks(picture)) == set(OUTCOMES)
    assert "not finished 50" in texts(picture)
    widths = {
        group.get("data-pick"): float(group.find(f"{SVG}rect").get("width"))
        for group in ET.fromstring(picture).iter(f"{SVG}g")
        if group.find(f"{SVG}title") is not None
    }
    assert widths["timed_out"] / widths["failed_integration"] == pytest.approx(110 / 80, rel=0.05)


def test_a_single_failure_among_a_million_can_be_clicked():
    picture = svg(outcomes.outcome_bar({"integrated": 999_999, "crashed": 1}, 1_000_000))
    width = next(
        float(group.find(f"{SVG}rect").get("width"))
        for group in ET.fromstring(picture).iter(f"{SVG}g")
        if group.get("data-pick") == "crashed"
    )
    assert width >= 6
    assert "crashed 1 (<0.1 %)" in texts(picture)
    assert "integrated 999999 (>99.9 %)" in texts(picture)


def test_funnel_counts_down_to_what_is_integrated():
    counts = {"integrated": 40, "failed_triage": 30, "failed_indexing": 20, "failed_filter": 5, "crashed": 5}
    picture = svg(outcomes.funnel(counts))
    numbers = [int(text) for text in texts(picture) if text.isdigit()]
    assert numbers == [100, 95, 95, 65, 45, 45, 45, 40]
    assert set(picks(picture)) == {"failed_triage", "failed_indexing", "failed_filter", "crashed"}


def test_rates_name_time_and_share():
    picture = svg(rates(np.array([0.0, 3600, 7200, 10800]), np.array([[100, 50, 40, 30]] * 3)))
    said = texts(picture)
    assert "time since the first frame (h)" in said
    assert "rate (%)" in said
    assert [text for text in said if ":" in text] == [
        "hits / frames: 50.0 %",
        "indexed / hits: 80.0 %",
        "integrated / hits: 60.0 %",
    ]


def test_beam_chart_says_where_and_draws_the_circle_of_misindexing():
    rng = np.random.default_rng(1)
    x, y = rng.normal(100, 0.1, 5000), rng.normal(90, 0.1, 5000)
    x[::9] = np.nan
    picture = svg(beam.beam_chart(x, y, 0.25))
    said = texts(picture)
    middle = next(re.match(r"median ([\d.]+), ([\d.]+) mm", text) for text in said if text.startswith("median"))
    assert [float(value) for value in middle.groups()] == pytest.approx([100, 90], abs=0.01)
    assert "circle: misindexed by one (0.25 mm)" in said
    assert {"beam x, fast axis (mm)", "beam y, slow axis (mm)"} <= set(said)
    assert "<circle" in picture


def test_heat_map_shows_each_setting():
    picture = svg(spot_settings.heat_maps({(a, h): (9, a * h, 1) for a in (3, 4) for h in (2, 6)})[0])
    said = texts(picture)
    assert {"6", "8", "18", "24", "spot area (px)", "Frames indexed with each setting"} <= set(said)


def test_pictures_are_png():
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    data = png(pixels)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    start = data.index(b"IDAT") + 4
    size = int.from_bytes(data[start - 8 : start - 4], "big")
    lines = np.frombuffer(zlib.decompress(data[start : start + size]), np.uint8).reshape(5, 29)
    assert np.array_equal(lines[:, 1:].reshape(5, 7, 4), pixels)
    assert base64.b64encode(data)
