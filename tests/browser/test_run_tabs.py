"""The tabs of a real run in a browser: what is clicked selects, and selections act."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from made_runs import drifting_distance, revision
from PIL import Image
from playwright.sync_api import expect

from iota.records import OUTCOMES
from iota.runs import RunFolder, read_ledger
from iota.runs.geometry_diagnosis import write_drift
from iota.runs.geometry_revisions import GeometryRevisions, write_revisions


@pytest.fixture(scope="module")
def run(known_run, tmp_path_factory):
    """A copy of a real run, for lists are written into it; it is given a drift, and a refined geometry."""
    project = tmp_path_factory.mktemp("tabs")
    copy = RunFolder(shutil.copytree(known_run.path, project / "integration" / "001"))
    write_drift(copy, drifting_distance())
    refined = revision(1, "refinement", 48, rmsd_before_px=0.22, rmsd_after_px=0.08)
    write_revisions(copy, GeometryRevisions([refined], over=True))
    (copy.path / refined.folder).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 40)).save(copy.path / refined.folder / "geometry.png")
    return copy


@pytest.fixture(scope="module")
def server(run, tmp_path_factory, begin_server):
    """One server for all tests here, with a memory of its own."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(home))
        patch.setenv("XDG_CACHE_HOME", str(home))
        started = begin_server(run.path.parents[1], home / "server.txt")
    yield started
    started.end()


@pytest.fixture
def address(server):
    """Address of the run's page, with a word."""
    return server.address


@pytest.fixture
def results(run):
    return read_ledger(run.ledger)[0]


@pytest.fixture
def show(open_page, address):
    """Function that opens a tab, ``show("charts")``."""

    def show_(tab, **more):
        page = open_page(address(f"/run/001?tab={tab}"), **more)
        expect(page.locator(".iota-selection")).to_be_visible()
        return page

    return show_


def loaded(page, n):
    page.wait_for_function(
        f"document.querySelector('.iota-scatter')?.scatter?.rows.n === {n}"
        " && !document.querySelector('.iota-scatter').scatter.scheduled"
    )


def click_point(page, row):
    at = page.evaluate(f"document.querySelector('.iota-scatter').scatter.placeOf({row})")
    page.mouse.click(at["x"], at["y"])


def test_a_click_on_a_point_names_its_file_everywhere(show, results):
    page = show("charts")
    loaded(page, len(results))
    row = next(row for row, result in enumerate(results) if result.lattices)
    click_point(page, row)
    expect(page.get_by_text(f"Frame {row + 1}: {results[row].frame}")).to_be_visible()
    page.get_by_role("tab", name="Frames").click()
    expect(page.locator("tr.iota-current")).to_contain_text(Path(results[row].frame.path).name)


def test_view_shows_record_and_log_and_goes_on(show, results, run):
    page = show("charts")
    loaded(page, len(results))
    integrated = [row for row, result in enumerate(results) if result.lattices]
    click_point(page, integrated[0])
    page.get_by_role("button", name="View", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(str(results[integrated[0]].frame))
    expect(dialog).to_contain_text(str(results[integrated[0]].lattices[0].n_integrated))
    expect(dialog).to_contain_text("image_viewer")
    dialog.get_by_text("Log of the backend").click()
    log = (run.path / "logs" / f"{results[integrated[0]].name}.log").read_text()
    expect(dialog.locator("pre")).to_contain_text(log.strip().splitlines()[-1].strip()[:60])
    dialog.get_by_role("button", name="Next frame").click()
    expect(dialog).to_contain_text(str(results[integrated[0] + 1].frame))


def test_a_segment_of_the_outcome_bar_selects_and_a_double_click_lists(show, results):
    page = show("charts")
    blanks = [result for result in results if result.outcome == "failed_triage"]
    segment = page.locator('[data-pick="failed_triage"]').first
    segment.click()
    expect(page.get_by_text(f"{len(blanks)} images: no diffraction")).to_be_visible()
    segment.dblclick()
    dialog = page.get_by_role("dialog")
    for result in blanks:
        expect(dialog).to_contain_text(str(result.frame))
    dialog.get_by_text(str(blanks[0].frame)).click()
    expect(page.get_by_role("dialog").last).to_contain_text(blanks[0].reason)


def test_a_double_click_on_the_legend_of_the_outcome_bar_marks_no_text(show):
    page = show("charts")
    page.locator('[data-pick="failed_triage"] text').first.dblclick()
    expect(page.get_by_role("dialog")).to_contain_text("no diffraction")
    assert page.evaluate("getSelection().toString()") == ""


def test_a_bar_of_a_histogram_selects_the_frames_in_it(show, results):
    page = show("charts")
    loaded(page, len(results))
    bars = page.locator(".iota-card", has=page.locator("svg title", has_text="Wilson B")).locator("[data-pick]")
    expect(bars.first).to_be_visible()
    low, high = (float(word) for word in bars.first.get_attribute("data-pick").split(":"))
    bars.first.click(position={"x": 3, "y": 40})
    within = [r for r in results if any(low <= (x.wilson_b_A2 or -1e9) < high for x in r.lattices)]
    assert within
    expect(page.get_by_text(re.compile(rf"^{len(within)} images?: Wilson B"))).to_be_visible()


def test_a_box_selects_dims_the_others_and_is_saved(show, results, run):
    page = show("charts")
    loaded(page, len(results))
    box = page.locator(".iota-scatter canvas").bounding_box()
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 70, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 175, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    said = page.locator(".iota-selection").get_by_text("images: box, resolution")
    expect(said).to_be_visible()
    n = int(said.inner_text().split()[0])
    assert 0 < n <= sum(bool(result.lattices) for result in results)
    page.wait_for_function("document.querySelector('.iota-scatter').scatter.model.mask !== null")
    page.get_by_role("button", name="Save list").click()
    page.get_by_label("Name").fill("good ones!")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("is not a valid name for a list")).to_be_visible()
    page.get_by_role("button", name="Save list").click()
    page.get_by_label("Name").fill("boxed")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text(f"{n} images were saved to")).to_be_visible()
    listed = (run.path / "boxed.lst").read_text().splitlines()
    assert len(listed) == n
    integrated = {str(result.frame) for result in results if result.lattices}
    assert set(listed) <= integrated
    page.get_by_role("button", name="Exclude").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text(f"{len(results) - n} images were saved to")).to_be_visible()
    others = (run.path / "without_selected.lst").read_text().splitlines()
    assert sorted(listed + others) == sorted(str(result.frame) for result in results)


def test_process_again_opens_the_start_page_with_the_list(show, results, run):
    page = show("charts")
    page.locator('[data-pick="failed_triage"]').first.click()
    with page.expect_request(lambda request: "/?recover=" in request.url) as asked:
        page.get_by_role("button", name="Process again").click()
    query = parse_qs(urlsplit(asked.value.url).query)
    assert query["recover"] == ["001"]
    expect(page.get_by_text(str(run.path / "again_no_diffraction.lst"), exact=True)).to_be_visible()
    listed = Path(query["input"][0]).read_text().splitlines()
    assert listed == [str(result.frame) for result in results if result.outcome == "failed_triage"]


def test_the_index_chart_takes_a_space_group_and_says_what_is_wrong_with_one(show, picture):
    page = show("charts")
    expect(page.get_by_text("0 k l slice:")).to_be_visible(timeout=30_000)
    complete = page.get_by_text("complete to")

    def percent():
        return float(complete.text_content().split(" %")[0].strip("<>"))

    in_p1 = percent()
    page.get_by_role("checkbox", name="Space group").click()
    field = page.get_by_label("Space group symbol")
    expect(field).to_have_value("P 43 21 2")  # the run's
    expect(page.get_by_text(re.compile(r"^P 43 21 2, cell 79\.\d 79\.\d 38\.\d"))).to_be_visible()
    assert percent() > 2 * in_p1
    field.fill("P 43 21 1")
    expect(page.get_by_text("'P 43 21 1' is not a space group")).to_be_visible()
    field.fill("P 6")
    expect(page.get_by_text("P 6 does not fit the cell of this run")).to_be_visible()
    field.fill("P 2 2 2")
    expect(page.get_by_text(re.compile("^P 2 2 2, cell"))).to_be_visible()
    page.get_by_role("checkbox", name="Space group").click()
    expect(page.get_by_text(re.compile("^P 1, cell"))).to_be_visible()
    picture(page, "charts-index")


def test_frames_are_sorted_filtered_and_walked_with_keys(show, results):
    page = show("frames")
    rows = page.locator(".iota-frames tbody tr")
    expect(rows).to_have_count(len(results))
    page.locator("th", has_text="Spots").click()
    page.locator("th", has_text="Spots").click()
    most = max(results, key=lambda result: result.n_spots or 0)
    expect(rows.first).to_contain_text(Path(most.frame.path).name)
    rows.first.click()
    expect(page.locator("tr.iota-current")).to_contain_text(Path(most.frame.path).name)
    page.keyboard.press("ArrowDown")
    second = sorted(results, key=lambda result: -(result.n_spots or 0))[1]
    expect(page.locator("tr.iota-current")).to_contain_text(Path(second.frame.path).name)
    page.keyboard.press("ArrowUp")
    expect(page.locator("tr.iota-current")).to_contain_text(Path(most.frame.path).name)
    page.get_by_label("Path or name").fill(results[0].name.upper())
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text(results[0].reason or "integrated")
    page.get_by_label("Path or name").fill("")
    page.get_by_label("Outcome").click()
    page.get_by_role("option", name="no diffraction").click()
    page.keyboard.press("Escape")
    blanks = [result for result in results if result.outcome == "failed_triage"]
    expect(rows).to_have_count(len(blanks))
    page.get_by_role("button", name="Select these").click()
    expect(page.get_by_text(f"{len(blanks)} images: no diffraction")).to_be_visible()
    page.get_by_label("Select frame").first.click()
    expect(page.get_by_text("1 image: selected in the table")).to_be_visible()


def test_pages_of_the_table_come_from_the_server(show, results):
    page = show("frames")
    page.locator(".q-table__bottom .q-select").click()
    page.get_by_role("option", name="10", exact=True).click()
    rows = page.locator(".iota-frames tbody tr")
    expect(rows).to_have_count(10)
    page.get_by_label("Next page").click()
    expect(rows).to_have_count(len(results) - 10)
    expect(rows.first).to_contain_text(Path(results[10].frame.path).name)
    page.keyboard.press("ArrowDown")  # the first frame, on the page before
    expect(page.locator("tr.iota-current")).to_contain_text(Path(results[0].frame.path).name)


def test_why_it_failed_counts_gives_examples_and_opens_settings(show, results):
    page = show("why")
    failed = [result for result in results if result.outcome != "integrated"]
    assert failed
    numbers = page.locator(".iota-failure-number")
    expect(numbers.first).to_be_visible()
    assert sum(int(text) for text in numbers.all_inner_texts()) == len(failed)
    page.get_by_role("button", name="Example").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("at least 10 are needed")
    dialog.get_by_role("button", name="Close").click()
    link = page.get_by_role("link", name="Open the setting").first
    query = parse_qs(urlsplit(link.get_attribute("href")).query)
    assert query == {"recover": ["001"], "setting": ["data_selection.image_triage.minimum_Bragg_peaks"]}


def test_analysis_has_the_consensus_and_clusters_that_act(show, results, run):
    page = show("analysis")
    n = sum(len(result.lattices) for result in results)
    expect(page.get_by_text(f"tP (P 43 21 2, as indexed), {n} of {n} lattices")).to_be_visible()
    expect(page.get_by_text("distance: decreases by 0.180 mm (0.57 px)")).to_be_visible()
    expect(page.get_by_text("The detector distance decreases by 0.18 mm (0.14 %)")).to_be_visible()
    page.get_by_label("Minimum cluster size").fill("2")
    page.get_by_role("button", name="Run clustering").click()
    expect(page.get_by_role("button", name="Select").first).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Select").first.click()
    integrated = [str(result.frame) for result in results if result.lattices]
    expect(page.get_by_text(f"{len(integrated)} images: cluster 1")).to_be_visible()
    assert sorted((run.path / "uc_cluster_1.lst").read_text().splitlines()) == sorted(integrated)
    with page.expect_request(lambda request: "/?recover=" in request.url) as asked:
        page.locator(".iota-plain-table").get_by_role("button", name="Use as target").click()
    assert "cctbx_xfel.target_space_group=P 43 21 2" in parse_qs(urlsplit(asked.value.url).query)["set"]


def test_analysis_has_the_geometry_that_the_run_refined(show):
    page = show("analysis")
    expect(page.get_by_text("refined against 48 lattices; on 24 other hits: RMSD 0.22 → 0.08 px")).to_be_visible()
    card = page.locator(".iota-card").filter(has_text="Refined geometry").last
    expect(card.get_by_text("Finding 1.")).to_be_visible()
    shown = card.locator("img")
    expect(shown).to_be_visible(timeout=15_000)
    shown.scroll_into_view_if_needed()  # it is loaded when it is seen
    is_there = "(image) => image.complete && image.naturalWidth === 60 && image.naturalHeight === 40"
    page.wait_for_function(is_there, arg=shown.element_handle(), timeout=15_000)
    large = card.locator("a:has(img)").get_attribute("href")  # which a click opens in a tab of its own
    page.goto(urljoin(page.url, large))
    page.wait_for_function(is_there, arg=page.locator("img").element_handle(), timeout=15_000)


def test_no_cluster_is_said(show):
    page = show("analysis")
    page.get_by_label("Minimum cluster size").fill("500")
    page.get_by_role("button", name="Run clustering").click()
    expect(page.get_by_text("No cluster has 500 lattices or more")).to_be_visible(timeout=30_000)


def test_the_report_stands_alone(show, open_page, address, results, picture):
    page = open_page(address("/run/001/report"))
    expect(page.get_by_text("IOTA run 001")).to_be_visible()
    expect(page.get_by_text("P 43 21 2, as indexed")).to_be_visible()
    assert "<script" not in page.content()
    assert not re.search(r"(src|href)=.(?!data:)", page.content())
    picture(page, "report")


def test_a_line_of_the_ledger_is_in_the_charts_within_a_second(open_page, run, address, tmp_path):
    whole = run.ledger.read_bytes()
    lines = whole.splitlines(keepends=True)
    state = run.state.read_text()
    try:
        run.state.write_text(state.replace('"finished"', '"running"'))
        run.ledger.write_bytes(b"".join(lines[:-2]))
        page = open_page(address("/run/001"))
        loaded(page, len(lines) - 2)
        page.wait_for_timeout(2000)
        start = time.monotonic()
        with run.ledger.open("ab") as file:
            file.write(lines[-2])
        loaded(page, len(lines) - 1)
        points = time.monotonic() - start
        with run.ledger.open("ab") as file:
            file.write(lines[-1])
        loaded(page, len(lines))
        print(f"{points:.2f} s from a line of the ledger to its point")
        assert points < 1
        counts = page.locator(".iota-chart", has=page.locator("svg title", has_text="Frames by outcome"))
        expect(counts).to_contain_text(re.compile(r"integrated \d+ .*"), timeout=3000)
        page.wait_for_function(
            "n => [...document.querySelectorAll('[data-pick] text')].map(t => +t.textContent.match(/(\\d+) \\(/)[1])"
            ".reduce((a, b) => a + b, 0) === n",
            arg=len(lines),
            timeout=3000,
        )
    finally:
        run.ledger.write_bytes(whole)
        run.state.write_text(state)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 1920])
@pytest.mark.parametrize("tab", ["charts", "frames", "why", "analysis"])
def test_nothing_is_cut_at_any_width(show, picture, tab, width, dark):
    page = show(tab, width=width, height=1900, dark=dark)
    page.wait_for_timeout(2500)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = page.evaluate(
        """() => [...document.querySelectorAll('.iota-chart svg')].flatMap((svg) => {
          const box = svg.getBoundingClientRect();
          return [...svg.querySelectorAll('text')].filter((text) => {
            const at = text.getBoundingClientRect();
            const isCut = at.left < box.left - 1 || at.right > box.right + 1;
            return isCut || at.top < box.top - 1 || at.bottom > box.bottom + 1;
          }).map((text) => text.textContent);
        })"""
    )
    assert cut == []
    picture(page, f"{tab}-{width}-{'dark' if dark else 'light'}")


def test_outcomes_have_names_in_the_legend(show, results):
    page = show("charts")
    present = {result.outcome for result in results}
    for outcome in OUTCOMES:
        assert page.locator(f'[data-pick="{outcome}"]').count() == (2 if outcome in present else 0)


@pytest.mark.slow
def test_lattices_are_merged_and_what_does_not_fit_is_a_sentence(show, results, run, picture):
    page = show("analysis", height=1400)
    card = page.locator(".iota-card").filter(has_text="Merging").last
    card.get_by_label("Space group").fill("P63")
    card.get_by_role("button", name="Merge", exact=True).click()
    expect(card.get_by_text("does not fit the lattice of the run")).to_be_visible(timeout=60_000)
    card.get_by_label("Space group").fill("P43212")
    card.get_by_role("button", name="Merge", exact=True).click()
    expect(card.get_by_text("Merged.", exact=True)).to_be_visible(timeout=120_000)
    expect(card.get_by_text("TABLE 1")).to_be_visible()
    n_integrated = sum(len(result.lattices) for result in results if result.outcome == "integrated")
    expect(card.locator("pre")).to_contain_text(f"{n_integrated} lattices")
    with page.expect_download() as download:
        card.get_by_role("button", name="merged.mtz").click()
    assert Path(download.value.path()).read_bytes() == (run.path / "merge" / "001" / "merged.mtz").read_bytes()
    picture(page, "run-merged")
    card.get_by_role("button", name="Merge", exact=True).click()
    expect(card.get_by_text(re.compile("^Combining|^Scaling|^Merging, "))).to_be_visible(timeout=60_000)
    card.get_by_role("button", name="Cancel").click()
    expect(card.get_by_text("Merging was cancelled.")).to_be_visible(timeout=20_000)
    expect(card.get_by_text("TABLE 1")).to_be_visible()  # that of the one before
    card.get_by_label("Result").click()
    page.get_by_role("option", name="merge/002, was stopped").click()
    expect(card.get_by_text("merge/002 was stopped.")).to_be_visible()
    expect(card.get_by_role("button", name="merged.mtz")).to_have_count(0)
    picture(page, "run-merging-stopped")


@pytest.mark.slow
def test_selected_images_alone_are_merged(show, results, run):
    page = show("frames")
    page.get_by_label("Outcome").click()
    page.get_by_role("option", name=re.compile("^integrated")).click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Select these").click()
    page.get_by_role("tab", name="Analysis").click()
    card = page.locator(".iota-card").filter(has_text="Merging").last
    card.get_by_text("Selected images only").click()
    card.get_by_role("button", name="Merge", exact=True).click()
    expect(card.get_by_text("Merged.", exact=True)).to_be_visible(timeout=120_000)
    listed = (run.path / "selected_for_merging.lst").read_text().splitlines()
    assert sorted(listed) == sorted(str(result.frame) for result in results if result.outcome == "integrated")


def test_files_are_handed_over(show, results, run, picture):
    page = show("analysis", height=1700)
    card = page.locator(".iota-card").filter(has=page.get_by_role("button", name="Export", exact=True)).last
    for label in ("DIALS", "CrystFEL", "Lists"):
        card.get_by_text(label, exact=True).click()
    card.get_by_role("button", name="Export").click()
    expect(page.get_by_text("Select at least one format.")).to_be_visible()
    card.get_by_text("CrystFEL", exact=True).click()
    card.get_by_role("button", name="Export").click()
    expect(card.get_by_text("Exported.", exact=True)).to_be_visible(timeout=60_000)
    n_lattices = sum(len(result.lattices) for result in results if result.outcome == "integrated")
    expect(card.get_by_text(f"{n_lattices} lattices on")).to_be_visible()
    with page.expect_download() as download:
        card.get_by_role("button", name="run.geom").click()
    assert Path(download.value.path()).read_bytes() == (run.path / "export" / "001" / "run.geom").read_bytes()
    assert not list((run.path / "export" / "001").glob("*.expt"))
    picture(page, "run-export")
