"""A run is set up by clicks alone, as the tutorial does."""

import time

import pytest
from playwright.sync_api import expect

from iota.params import read
from iota.runs import RunFolder, read_state


def choose(page, name):
    """Choose an entry of the list of expert levels."""
    page.get_by_label("Expert level").first.click()
    page.get_by_role("option", name=name).click()


@pytest.mark.slow
def test_a_run_is_set_up_and_started_by_clicks(start_server, open_page, picture, lysozyme, tmp_path):
    server = start_server(tmp_path / "project")
    page = open_page(server.url)
    page.get_by_text("Add images first.").wait_for()
    picture(page, "start-empty")
    page.get_by_role("textbox", name="Description", exact=True).fill("by clicks")

    page.get_by_role("button", name="Browse...").click()
    page.get_by_label("Folder", exact=True).fill(str(lysozyme))
    page.get_by_label("Folder", exact=True).press("Enter")
    page.get_by_role("button", name="Choose this folder").click()
    page.get_by_text("12 images in total").wait_for()

    page.get_by_role("button", name="IOTA Settings...").click()
    page.get_by_text("Processing", exact=True).first.click()
    page.get_by_role("textbox", name="Target space group", exact=True).fill("P43212")
    page.get_by_role("textbox", name="Target unit cell", exact=True).fill("79.2 60 38.1 90 90 90")
    page.get_by_text("which needs a = b and α = β = γ = 90°").wait_for()
    picture(page, "settings-wrong")
    page.get_by_role("textbox", name="Target unit cell", exact=True).fill("79.2 79.2 38.1 90 90 90")
    page.get_by_text("2 changed from the default").wait_for()
    page.get_by_role("button", name="OK").click()

    page.get_by_text("dials.stills_process of DIALS").wait_for()
    page.get_by_role("button", name="Backend Settings...").click()
    page.get_by_text("Advanced (all)...").click()
    page.get_by_role("textbox", name="Search", exact=True).fill("rmsd_min_px")
    page.get_by_role("textbox", name="rmsd_min_px", exact=True).fill("3")
    picture(page, "settings-backend")
    page.get_by_role("button", name="Reset rmsd_min_px").click()
    page.get_by_text("All at their defaults").wait_for()
    page.get_by_role("textbox", name="rmsd_min_px", exact=True).fill("4")
    page.get_by_role("button", name="OK").click()

    page.get_by_role("button", name="Preferences").click()
    page.get_by_role("textbox", name="Number of processes", exact=True).fill("2")
    page.get_by_role("button", name="OK").click()
    page.get_by_text("Runs with 2 processes on this machine.").wait_for()
    picture(page, "start-ready")
    page.get_by_role("button", name="RUN IOTA").click()
    page.wait_for_url("**/run/001")

    folder = RunFolder.open(server.project / "integration" / "001")
    values = read([folder.script]).values
    assert values.description == "by clicks"
    assert values.mp.n_processors == 2
    assert str(values.cctbx_xfel.target_space_group) == "P 43 21 2"
    assert "rmsd_min_px = 4" in folder.target.read_text()
    deadline = time.monotonic() + 120
    while read_state(folder.state).status != "finished":
        assert time.monotonic() < deadline
        time.sleep(0.2)

    page.goto(server.base + "/")
    page.get_by_text("12 images in total").wait_for()  # what was set up is still there
    assert page.get_by_role("textbox", name="Description", exact=True).input_value() == "by clicks"
    page.get_by_role("button", name="Reset", exact=True).first.click()
    page.get_by_role("dialog").get_by_role("button", name="Reset").click()
    page.get_by_text("Add images first.").wait_for()
    page.get_by_role("button", name="Recover").click()
    page.get_by_role("cell", name="by clicks").click()
    page.get_by_role("button", name="settings only").click()
    page.get_by_role("button", name="OK").click()
    page.get_by_text("12 images in total").wait_for()
    page.get_by_text("cctbx_xfel.target_unit_cell = 79.2 79.2 38.1 90 90 90").wait_for()


@pytest.mark.parametrize(("width", "dark"), [(1280, True), (1920, False), (1920, True)])
def test_pictures_of_the_page_and_its_dialogs(start_server, open_page, picture, lysozyme, tmp_path, width, dark):
    server = start_server(tmp_path / "project", lysozyme, "target_space_group=P43212", "indexing.max_cell=180")
    page = open_page(server.url, width=width, height=1000 if width > 1500 else 800, dark=dark)
    mode = f"{width}-{'dark' if dark else 'light'}"
    page.get_by_text("12 images in total").wait_for()
    page.get_by_text("dials.stills_process of DIALS").wait_for()
    picture(page, f"start-{mode}")
    page.get_by_role("button", name="IOTA Settings...").click()
    choose(page, "Intermediate")
    page.get_by_text("Processing", exact=True).first.click()
    page.wait_for_timeout(500)
    picture(page, f"settings-{mode}")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Backend Settings...").click()
    page.get_by_text("Spot finding...").click()
    choose(page, "Advanced")
    page.wait_for_timeout(500)
    picture(page, f"backend-{mode}")
    boxes = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert boxes <= 0  # nothing sticks out at the side


def test_the_name_of_a_parameter_does_not_cover_its_help(start_server, open_page, tmp_path):
    page = open_page(start_server(tmp_path / "project").url)
    page.get_by_role("button", name="IOTA Settings...").click()
    page.get_by_text("Processing", exact=True).first.click()
    page.get_by_text("Target space group", exact=True).hover()
    tip = page.get_by_role("tooltip").filter(has_text="cctbx_xfel.target_space_group")
    tip.wait_for()
    page.wait_for_timeout(500)  # it has come to rest
    name, text = tip.bounding_box(), page.get_by_text("Known space or point group").bounding_box()
    assert name["y"] + name["height"] <= text["y"] + 1


def test_a_double_click_opens_images(start_server, open_page, lysozyme, tmp_path):
    images = sorted(lysozyme.glob("*.cbf"))
    server = start_server(tmp_path / "project", images[3], lysozyme)
    page = open_page(server.url)
    page.get_by_text("12 images in total").wait_for()
    with page.context.expect_page() as opened:
        page.get_by_role("cell", name=str(images[3]), exact=True).dblclick()
    expect(opened.value.locator(".di-title")).to_have_text(images[3].name, timeout=20_000)  # a helper process begins

    page.get_by_role("cell", name=str(lysozyme), exact=True).dblclick()  # of several it is asked how many
    with page.context.expect_page() as opened:
        page.get_by_role("dialog").get_by_role("button", name="OK").click()
    expect(opened.value.locator(".di-title")).to_have_text(images[0].name)

    page.get_by_role("button", name="Information").last.click()
    with page.context.expect_page() as opened:
        page.get_by_role("dialog").get_by_role("cell", name=str(images[7])).dblclick()
    expect(opened.value.locator(".di-title")).to_have_text(images[7].name)
    expect(opened.value.get_by_text("8 of 12")).to_be_visible()
    page.get_by_role("button", name="Close").click()

    page.get_by_role("button", name="Remove").last.dblclick()  # buttons in the row keep their clicks
    expect(page.get_by_role("dialog")).to_have_count(0)
