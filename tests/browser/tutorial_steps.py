"""The 18 steps of docs/tutorial.md as a person clicks them: for the test of the tutorial and for its pictures.

Each step asserts what the text says. ``take(name, part, height)`` keeps a picture of an element or a page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commands import command
from playwright.sync_api import expect

from iota.records import OUTCOMES
from iota.runs import RunFolder, read_ledger
from iota.simulate import read_frames

READY = ".di[data-state=ready][data-marks=ready]"
CELL = "79.2 79.2 38.1 90 90 90"
LONGEST_RUN_S = 1200
# circle and corners of the polygon (px of the detector) that cover the shadow of the beamstop and the glare around it
CIRCLE = (475.2, 534.1, 44.0)
POLYGON = ((460, 1), (490, 1), (490, 520), (460, 520))


@dataclass
class Tour:
    """What the steps share: the project folder, how to begin a server and open a page, and what was found."""

    project: Path
    n_images: int
    begin: Callable[..., Any]
    open_page: Callable[..., Any]
    take: Callable[..., None]
    facts: dict[str, Any] = field(default_factory=dict)

    def run(self, number: int) -> RunFolder:
        """A run of the project."""
        return RunFolder.open(self.project / "integration" / f"{number:03d}")

    def count(self, number: int) -> dict[str, int]:
        """Frames of a run by outcome."""
        results = read_ledger(self.run(number).ledger)[0]
        return {name: n for name in OUTCOMES if (n := sum(result.outcome == name for result in results))}

    def start(self, number: int) -> None:
        """Click RUN IOTA and wait for the end; a run of an earlier walk is looked at as it is."""
        if (self.project / "integration" / f"{number:03d}").exists():
            self.page.goto(f"{self.server.base}/run/{number:03d}")
        else:
            self.page.get_by_role("button", name="RUN IOTA").click()
            self.page.wait_for_url(f"**/run/{number:03d}")
        expect(self.page.get_by_text(re.compile(rf"^\d+ of {self.n_images} frames$"))).to_be_visible()
        expect(self.page.get_by_text("finished", exact=True)).to_be_visible(timeout=1000 * LONGEST_RUN_S)
        expect(self.page.get_by_text(f"{self.n_images} of {self.n_images} frames", exact=True)).to_be_visible()
        expect(self.page.get_by_text("reading the ledger")).to_be_hidden(timeout=60_000)

    def serve(self) -> None:
        """Start ``iota`` in the project folder, and look at it."""
        self.server = self.begin(self.project)
        self.page = self.open_page(self.server.url, width=1280, height=860)


def walk(tour: Tour) -> dict[str, Any]:
    """All steps in order; returns the figures that the text names."""
    steps_1_to_4_images(tour)
    step_5_read_in(tour)
    steps_6_to_7_mask(tour)
    step_8_use_the_mask(tour)
    step_9_backend(tour)
    step_10_run(tour)
    step_11_charts(tour)
    step_12_why(tour)
    step_13_analysis(tour)
    step_14_recover(tour)
    step_15_which_lattice_was_determined(tour)
    step_16_second_run(tour)
    step_17_completeness(tour)
    step_18_merging(tour)
    return tour.facts


def steps_1_to_4_images(tour: Tour) -> None:
    """Check the installation, make the folder and the images (unless they are there)."""
    done = command("iota.doctor", cwd=tour.project.parent)
    assert "DIALS" in done.stdout
    tour.project.mkdir(exist_ok=True)
    if not (tour.project / "images").exists():
        done = command("iota.simulate", "--tutorial", "images", "-n", tour.n_images, cwd=tour.project)
        assert done.returncode == 0, done.stderr
    assert len(read_frames(tour.project / "images")) == tour.n_images


def step_5_read_in(tour: Tour) -> None:
    tour.serve()
    page = tour.page
    expect(page.get_by_text("Add images first.")).to_be_visible()
    expect(page.get_by_text("dials.stills_process of DIALS")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Browse...").click()
    page.get_by_role("cell", name="images", exact=True).click()
    tour.take("browse", page.locator(".q-dialog .q-card"))
    page.get_by_role("button", name="Choose selected").click()
    expect(page.get_by_text(f"{tour.n_images} images in total")).to_be_visible(timeout=60_000)
    tour.take("start-images", page, 616)


def steps_6_to_7_mask(tour: Tour) -> None:
    tour.page.get_by_role("button", name="View images").click()
    expect(tour.page.get_by_text("How many images?")).to_be_visible()
    tour.take("how-many", tour.page.locator(".q-dialog .q-card"))
    tour.page.get_by_text("First 10", exact=True).click()
    with tour.page.expect_popup() as opened:
        tour.page.get_by_role("button", name="OK").click()
    viewer = opened.value
    viewer.set_viewport_size({"width": 1280, "height": 860})
    viewer.wait_for_selector(READY)
    for _ in range(3):  # the fourth image is blank
        viewer.keyboard.press("ArrowRight")
        viewer.wait_for_timeout(200)
    expect(viewer.locator(".di-title")).to_have_text("lyso_00004.cbf")
    viewer.wait_for_selector(READY)
    viewer.get_by_role("tab", name="Spot finding").click()
    viewer.get_by_label("Preview spot finding").check()
    said = viewer.get_by_text("strong pixels", exact=False).last
    expect(said).to_contain_text("spots from")
    _look_at(viewer, *CIRCLE[:2], 3.2)
    tour.facts["spots_of_a_blank"] = int(re.search(r"([\d,]+) spots", said.inner_text())[1].replace(",", ""))
    assert tour.facts["spots_of_a_blank"] >= 15  # glare, and not one reflection
    tour.take("glare", viewer)
    viewer.get_by_label("Preview spot finding").uncheck()

    viewer.get_by_role("tab", name="Mask").click()
    _look_at(viewer, CIRCLE[0], 330, 0.7)
    viewer.get_by_role("button", name="Circle").click()
    x, y = _on_screen(viewer, *CIRCLE[:2])
    edge, _ = _on_screen(viewer, CIRCLE[0] + CIRCLE[2], CIRCLE[1])
    viewer.mouse.move(x, y)
    viewer.mouse.down()
    viewer.mouse.move(edge, y, steps=5)
    viewer.mouse.up()
    viewer.get_by_role("button", name="Polygon").click()
    for corner in POLYGON[:-1]:
        viewer.mouse.click(*_on_screen(viewer, *corner))
        viewer.wait_for_timeout(400)  # a person does not double-click by chance
    viewer.mouse.dblclick(*_on_screen(viewer, *POLYGON[-1]))
    expect(viewer.get_by_label("polygon 2 y4")).to_be_visible()
    expect(viewer.locator(".di-save")).to_contain_text("are masked")
    for old in (tour.project / "masks").glob("mask.*"):  # of an earlier walk: the page replaces none
        old.unlink()
    viewer.get_by_role("button", name="Save", exact=True).click()
    expect(viewer.locator(".di-save .di-said")).to_contain_text("Saved:")
    tour.take("mask", viewer)
    viewer.close()
    assert (tour.project / "masks" / "mask.pickle").is_file()


def step_8_use_the_mask(tour: Tour) -> None:
    page = tour.page
    page.get_by_role("button", name="IOTA Settings...").click()
    row = page.locator(".iota-field").filter(has=page.locator('[data-field="image_import.mask"]'))
    row.get_by_role("button", name="Browse").click()
    page.get_by_role("cell", name="masks", exact=True).dblclick()
    page.get_by_role("cell", name="mask.pickle", exact=True).click()
    page.get_by_role("button", name="Choose selected").click()
    expect(page.get_by_text("1 changed from the default")).to_be_visible()
    tour.take("settings-mask", page.locator(".iota-settings"), 220)
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_text("image_import.mask = ")).to_be_visible()


def step_9_backend(tour: Tour) -> None:
    page = tour.page
    page.get_by_role("button", name="IOTA Settings...").click()
    page.get_by_role("textbox", name="Search", exact=True).fill("processing_backend")
    expect(page.locator('[data-field="advanced.processing_backend"]').first).to_be_visible()
    tour.take("settings-backend", page.locator(".iota-settings"), 370)
    page.get_by_role("button", name="Cancel").click()


def step_10_run(tour: Tour) -> None:
    page = tour.page
    page.get_by_role("textbox", name="Description", exact=True).fill("defaults")
    page.get_by_role("button", name="Preferences").click()
    page.get_by_role("textbox", name="Number of processes", exact=True).fill("2")
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_text("Runs with 2 processes on this machine.")).to_be_visible()
    tour.start(1)
    counts = tour.count(1)
    tour.facts["run_1"] = counts
    truth = read_frames(tour.project / "images")
    n_main = sum(f["kind"] == "normal" and f["lattices"][0]["form"] == "lyso" for f in truth)
    n_blank = sum(f["kind"] == "blank" for f in truth)
    assert counts["integrated"] >= 0.95 * n_main
    assert counts["failed_triage"] >= n_blank  # the mask took their glare away
    page.wait_for_function("document.querySelector('.iota-scatter')?.scatter?.rows.n > 0")
    tour.take("run-charts", page)


def step_11_charts(tour: Tour) -> None:
    page = tour.page
    results = read_ledger(tour.run(1).ledger)[0]
    row = next(k for k, result in enumerate(results) if result.lattices)
    page.wait_for_function(f"document.querySelector('.iota-scatter').scatter.rows.n === {len(results)}")
    at = page.evaluate(f"document.querySelector('.iota-scatter').scatter.placeOf({row})")
    page.mouse.click(at["x"], at["y"])
    expect(page.get_by_text(f"Frame {row + 1}: ")).to_be_visible()
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Image", exact=True).click()
    opened.value.set_viewport_size({"width": 1280, "height": 860})
    opened.value.wait_for_selector(READY)
    opened.value.wait_for_timeout(4000)  # small pictures of the neighbours
    tour.take("frame-image", opened.value)
    opened.value.close()


def step_12_why(tour: Tour) -> None:
    page = tour.page
    segment = page.locator('[data-pick="failed_triage"]').first
    segment.click()
    n = tour.facts["run_1"]["failed_triage"]
    expect(page.get_by_text(re.compile(rf"^{n} images?: ")).first).to_be_visible()
    segment.dblclick()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("No spots found")
    page.wait_for_timeout(400)
    tour.take("failed-list", page.locator(".q-dialog .q-card"))
    dialog.get_by_role("button", name="Close").click()


def step_13_analysis(tour: Tour) -> None:
    page = tour.page
    page.get_by_role("tab", name="Analysis").click()
    expect(page.get_by_text(re.compile(r"^tP \(P 4 2 2, as indexed\), \d+ of \d+ lattices$"))).to_be_visible()
    tour.take("analysis", page, 702)
    tour.facts["clusters_1"] = _clusters(tour, "clusters")
    assert re.match(r"79\.\d+ 79\.\d+ 38\.\d+ 90", tour.facts["clusters_1"][0][3])


def step_14_recover(tour: Tour) -> None:
    tour.page.close()
    tour.server.end()
    tour.serve()
    page = tour.page
    page.get_by_role("button", name="Recover").click()
    page.get_by_role("cell", name="defaults").click()
    tour.take("recover", page.locator(".q-dialog .q-card"))
    page.get_by_role("button", name="OK").click()
    page.wait_for_url("**/run/001*")
    expect(page.get_by_text("finished", exact=True)).to_be_visible()


def step_15_which_lattice_was_determined(tour: Tour) -> None:
    page = tour.page
    page.get_by_role("button", name="Set up again").click()
    expect(page.get_by_text(f"{tour.n_images} images in total")).to_be_visible(timeout=60_000)
    page.get_by_role("textbox", name="Description", exact=True).fill("cell and P422 given")
    page.get_by_role("button", name="IOTA Settings...").click()
    page.get_by_text("Processing", exact=True).first.click()
    page.get_by_role("textbox", name="Target space group", exact=True).fill("P422")
    page.get_by_role("textbox", name="Target unit cell", exact=True).fill(CELL)
    tour.take("settings-target", page.locator(".iota-settings"), 250)
    page.get_by_role("textbox", name="Search", exact=True).fill("cctbx_xfel.filter")
    expect(page.locator('[data-field="cctbx_xfel.target_unit_cell"]')).to_have_count(0)  # the search is done
    page.locator('[data-field="cctbx_xfel.filter.flag_on"]').first.click()
    page.locator('[data-field="cctbx_xfel.filter.unit_cell"]').first.fill(CELL)
    page.locator('[data-field="cctbx_xfel.filter.uc_tolerance"]').first.fill("0.01")
    expect(page.locator(".iota-field.iota-changed")).to_have_count(3)
    tour.take("settings-filter", page.locator(".iota-settings"), 510)
    page.get_by_role("button", name="OK").click()
    for words in ('target_space_group = "P422"', "target_unit_cell = 79.2", "uc_tolerance = 0.01", "mask = "):
        expect(page.locator(".iota-preview")).to_contain_text(words)


def step_16_second_run(tour: Tour) -> None:
    page = tour.page
    tour.start(2)
    tour.facts["run_2"] = tour.count(2)
    results = read_ledger(tour.run(2).ledger)[0]
    cells = [lattice.unit_cell for result in results for lattice in result.lattices]
    assert cells
    assert all(abs(cell[0] - 79.2) < 0.01 * 79.2 and cell[0] == cell[1] for cell in cells)
    page.wait_for_function("document.querySelector('.iota-scatter')?.scatter?.rows.n > 0")
    tour.take("run-page", page)


def step_17_completeness(tour: Tour) -> None:
    page = tour.page
    card = page.locator(".iota-card").filter(has_text="Measured reflections").last
    complete = card.get_by_text("complete to")
    expect(complete).to_be_visible(timeout=60_000)
    card.scroll_into_view_if_needed()

    def percent(symbol: str) -> float:
        expect(card.get_by_text(re.compile(f"^{symbol}, cell"))).to_be_visible(timeout=60_000)
        page.wait_for_timeout(1500)  # the chart follows its words
        return float(complete.text_content().split(" %")[0].strip("<>"))

    found = {"P 1": percent("P 1")}
    tour.take("indices-p1", card)
    card.get_by_role("checkbox", name="Space group").click()
    found["P 4 2 2"] = percent("P 4 2 2")
    card.get_by_label("Space group symbol").fill("P 43 21 2")
    found["P 43 21 2"] = percent("P 43 21 2")
    tour.take("indices-p43212", card)
    assert found["P 43 21 2"] >= found["P 4 2 2"] > found["P 1"]
    tour.facts["complete_percent"] = found


def step_18_merging(tour: Tour) -> None:
    page = tour.page
    page.get_by_role("tab", name="Analysis").click()
    tour.facts["clusters_2"] = _clusters(tour, "clusters-2")
    assert len(tour.facts["clusters_2"]) == 1
    card = page.locator(".iota-card").filter(has_text="Merging").last
    card.get_by_label("Space group").fill("P43212")
    card.get_by_role("button", name="Merge", exact=True).click()
    expect(card.get_by_text("Merged.", exact=True)).to_be_visible(timeout=300_000)
    expect(card.get_by_text("TABLE 1")).to_be_visible()
    card.scroll_into_view_if_needed()
    tour.take("merged", card)


def _clusters(tour: Tour, name: str) -> list[list[str]]:
    """Run clustering on the page; returns number, lattices, lattice and cell of each cluster."""
    page = tour.page
    page.get_by_role("button", name="Run clustering").click()
    expect(page.locator(".iota-plain-table")).to_be_visible(timeout=60_000)
    expect(page.get_by_text(re.compile(r"^\d+ clusters?[.,]"))).to_be_visible()
    card = page.locator(".iota-card").filter(has_text="Clusters of unit cells").last
    tour.take(name, card)
    rows = page.locator(".iota-plain-table tr").all()[1:]
    return [[cell.inner_text() for cell in row.locator("td").all()[:4]] for row in rows]


def _detector(page: Any, script: str) -> Any:
    return page.evaluate(f"async () => {{ const d = document.querySelector('.di').detector; {script} }}")


def _look_at(page: Any, fast: float, slow: float, scale: float) -> None:
    """Bring a pixel into the middle."""
    _detector(page, f"d.view.goTo(...d.geometry.toPlane(0, {fast}, {slow}), {scale});")
    page.wait_for_timeout(300)
    page.wait_for_function("document.querySelector('.di').detector.view.isReady")


def _on_screen(page: Any, fast: float, slow: float) -> tuple[float, float]:
    """Where a pixel is in the window."""
    box = page.get_by_label("Detector image").bounding_box()
    x, y = _detector(page, f"return d.view.toCanvas(...d.geometry.toPlane(0, {fast}, {slow}));")
    return box["x"] + x, box["y"] + y
