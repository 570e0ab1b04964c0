"""Eight outputs say the same of a run of which one data file is missing."""

import html
import json
import re
import shutil
import time

import facility_files
import pytest
from commands import LYSOZYME, command
from fastapi import FastAPI
from starlette.testclient import TestClient

from iota.api import open_run
from iota.records import NOT_HITS
from iota.runs import RunFolder, read_ledger
from iota.runs.lists import read_list
from iota.web.api.routes import add_api
from iota.web.projects.projects import Projects

_LAYOUTS = {  # and the second of their three data files
    facility_files.dectris: "run_1_data_000002.h5",
    facility_files.nxmx_linked: "run_data_000002.h5",
    facility_files.virtual: "run_000002.h5",
    facility_files.diamond: "chip_07_000002.h5",
}


def _words(text):
    return " ".join(text.split())


@pytest.fixture(scope="module", params=_LAYOUTS.items(), ids=[write.__name__ for write in _LAYOUTS])
def layout(request):
    """Function that writes a layout, and the name of the data file that is lost."""
    return request.param


@pytest.fixture(scope="module")
def lost(layout):
    """Name of the data file that is missing."""
    return layout[1]


@pytest.fixture(scope="module")
def reason(lost):
    """What is said of its images."""
    return f"The data file {lost} is missing."


@pytest.fixture(scope="module")
def run(layout, lost, tmp_path_factory):
    """Six hits in three files of which the second is missing; processed, merged and exported."""
    project = tmp_path_factory.mktemp("missing")
    master = layout[0](project, facility_files.shots(6), per_file=[2, 2, 2])
    (project / lost).unlink()
    done = command("iota.run", master.name, "-n", 1, *LYSOZYME, cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    return RunFolder.open(project / "integration" / "001")


@pytest.fixture(scope="module")
def records(run):
    return sorted(read_ledger(run.ledger)[0], key=lambda record: record.frame.index)


@pytest.fixture(scope="module")
def counts(records):
    """Worked out from the records alone."""
    n_lost = sum(record.outcome == "failed_import" for record in records)
    n_hits = sum(record.outcome not in NOT_HITS for record in records)
    return len(records), n_lost, n_hits, sum(len(record.lattices) for record in records)


def test_the_ledger_has_a_line_for_each_image(records, counts, reason):
    assert counts == (6, 2, 4, 4)
    assert [record.reason == reason for record in records] == [False] * 2 + [True] * 2 + [False] * 2


def test_log_and_report_say_what_the_ledger_says(run, counts, lost, reason):
    n, n_lost, n_hits, n_lattices = counts
    assert command("iota.report", run.path, cwd=run.path).returncode == 0
    log = run.path.joinpath("iota.log").read_text()
    assert f"it points to 1 data file that cannot be found: looked for {lost}" in _words(log)
    page = re.sub(
        r"<[^>]*>", " ", re.sub(r"<style>.*?</style>", "", (run.path / "report.html").read_text(), flags=re.S)
    )
    for text in (_words(log[log.index("SUMMARY") :]), _words(html.unescape(page))):
        assert f"{n} of {n} finished" in text
        assert f"{n_hits} of {n - n_lost} frames that could be read, 100 %" in text
        assert f"{n_hits} of {n_hits} hits, 100 %" in text
        assert reason in text
        assert f"{n_lattices} of {n_lattices} lattices" in text
        assert re.search(rf"failed import[^\d]* {n_lost}\b", text)


def test_api_and_python_say_what_the_ledger_says(run, counts, reason):
    n, n_lost, n_hits, _ = counts
    app = FastAPI()
    add_api(app, Projects(run.path.parents[1]))
    end = time.monotonic() + 60
    with TestClient(app) as client:
        while (found := client.get("/api/runs/001").json())["table"]["n_rows"] < n or not found["summary"]["counts"]:
            assert time.monotonic() < end, "the run was not read"
    facts = {fact["name"]: fact for fact in found["facts"]}
    assert (facts["hits"]["values"]["n"], facts["hits"]["values"]["of"]) == (n_hits, n - n_lost)
    assert found["summary"]["counts"] == {"failed_import": n_lost, "integrated": n_hits}
    assert [(f["outcome"], f["reason"], f["n"]) for f in found["summary"]["failures"]] == [
        ("failed_import", reason, n_lost)
    ]
    assert {fact.name: fact.text for fact in open_run(1, run.path.parents[1]).facts()}["hits"] == facts["hits"]["text"]


async def test_the_page_says_what_the_ledger_says(visit, run, counts, reason):
    n, n_lost, n_hits, _ = counts
    user = await visit(run.path.parents[1])
    await user.open("/run/001?tab=analysis")
    await user.should_see(f"{n_hits} of {n - n_lost} frames that could be read", retries=100)
    await user.should_see(f"{n} of {n} frames")
    await user.open("/run/001?tab=why")
    await user.should_see(reason, retries=100)


def test_a_single_image_fails_for_the_same_reason(run, records, reason):
    master = records[0].frame.path
    for record in records[1:3]:
        done = command("iota.single_image", master, "--index", record.frame.index + 1, *LYSOZYME, cwd=run.path.parent)
        assert done.returncode == (record.outcome == "failed_import")
        assert (reason in done.stdout) == (record.outcome == "failed_import")


def test_merging_and_export_take_what_was_integrated(run, records, counts):
    _, _, n_hits, n_lattices = counts
    integrated = [str(record.frame) for record in records if record.outcome == "integrated"]
    done = command("iota.export", run.path, cwd=run.path)
    assert f"{n_lattices} lattices on {n_hits} images" in done.stdout
    exported = run.path / "export" / "001"
    assert [str(frame) for frame in read_list(exported / "integrated.lst")] == integrated
    assert (exported / "run.stream").read_text().count("Begin chunk") == n_hits
    merged = command("iota.merge", run.path, cwd=run.path)
    assert merged.returncode == 0, merged.stderr
    folder = next((run.path / "merge").iterdir())
    assert json.loads((folder / "merge.json").read_text())["n_lattices"] == n_lattices
    shutil.rmtree(folder)
