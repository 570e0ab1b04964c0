"""The numbers of a run are the same in log, terminal, API, pages and reports, and they are those of its records."""

import html
import re
import shutil
import time
from statistics import median

import pytest
from commands import command
from fastapi import FastAPI
from starlette.testclient import TestClient

from iota.api import open_run
from iota.records import NOT_HITS
from iota.runs import read_ledger
from iota.web.api.routes import add_api
from iota.web.projects.projects import Projects

_CELL = re.compile(r"(?:\d+\.\d\d ){3}90\.00 90\.00 90\.00")


def _words(text):
    return " ".join(text.split())


def _of_html(text):
    return _words(html.unescape(re.sub(r"<[^>]*>", " ", re.sub(r"<style>.*?</style>", "", text, flags=re.S))))


@pytest.fixture(scope="module")
def project(known_run, tmp_path_factory):
    """A project with a copy of a real run."""
    project = tmp_path_factory.mktemp("numbers")
    shutil.copytree(known_run.path, project / "integration" / "001")
    return project


@pytest.fixture(scope="module")
def said(project, known_run):
    """What each place says, as words; the page is asked by the test itself."""
    folder = project / "integration" / "001"
    done = command("iota.report", folder, cwd=project)
    assert done.returncode == 0, done.stderr
    again = command("iota.run", "--analyze", folder, cwd=project)
    assert again.returncode == 0, again.stderr
    log = (folder / "iota.log").read_text()
    return {
        "log": _words(log[log.index("SUMMARY") :]),
        "terminal": _words(again.stdout),
        "report.html": _of_html((folder / "report.html").read_text()),
        "report.md": _words(re.sub(r"\\(.)", r"\1", (folder / "report.md").read_text())),
    }


@pytest.fixture(scope="module")
def detail(project):
    app = FastAPI()
    add_api(app, Projects(project))
    end = time.monotonic() + 60
    with TestClient(app) as client:  # which answers after a second, however far the run is read
        while True:
            found = client.get("/api/runs/001").json()
            if found["table"]["n_rows"] == 12 and found["summary"]["n_lattices"]:
                return found
            assert time.monotonic() < end, "the run was not read"


def _expected(folder):
    """Numbers worked out from the records alone."""
    records = read_ledger(folder / "frames.jsonl")[0]
    hits = [r for r in records if r.outcome not in NOT_HITS]
    indexed = [r for r in hits if r.outcome != "failed_indexing"]
    integrated = [r for r in records if r.outcome == "integrated"]
    lattices = [x for r in integrated for x in r.lattices]
    resolutions = [x.d_min_A for x in lattices]
    fast, slow = (median(x.beam_centre_px[k] for x in lattices) for k in (0, 1))
    x, y = (median(one.beam_centre_mm[k] for one in lattices) for k in (0, 1))
    return [
        f"{len(records)} of {len(records)} finished",
        f"{len(hits)} of {len(records)} finished frames, {100 * len(hits) / len(records):.1f} % (95 % confidence:",
        f"{len(indexed)} of {len(hits)} hits,",
        f"{len(integrated)} of {len(hits)} hits,",
        f"{median(resolutions):.2f} Å median, {min(resolutions):.2f} Å best, {max(resolutions):.2f} Å worst",
        f"{median(r.n_spots for r in hits):.0f} per hit (median)",
        f"{median(x.n_integrated for x in lattices):.0f} per lattice,"
        f" {median(x.n_strong for x in lattices):.0f} of them",
        f"{median(x.wilson_b_A2 for x in lattices if x.wilson_b_A2 is not None):.1f} Å² (median)",
        f"{median(x.rmsd_px for x in lattices):.2f} px (median)",
        f"{median(x.half_mosaicity_deg for x in lattices):.3f}° (median)",
        f"{median(x.domain_size_A for x in lattices):.0f} Å (median)",
        f"{fast:.1f}, {slow:.1f} px; {x:.3f}, {y:.3f} mm (fast, slow; median)",
        f"{median(x.distance_mm for x in lattices):.2f} mm (median)",
        f"tP (P 43 21 2, as indexed), {len(lattices)} of {len(lattices)} lattices",
    ]


def test_every_fact_is_said_everywhere_in_the_same_words(said, detail, project):
    facts = detail["facts"]
    assert len(facts) > 18
    assert [fact.text for fact in open_run(1, project).facts()] == [fact["text"] for fact in facts]
    for place, words in said.items():
        missing = [f"{fact['label']}: {fact['text']}" for fact in facts if _words(fact["text"]) not in words]
        assert not missing, f"{place} does not say {missing}"


def test_the_facts_are_those_of_the_records(said, detail, project):
    texts = "\n".join(_words(fact["text"]) for fact in detail["facts"])
    for expected in _expected(project / "integration" / "001"):
        assert expected in texts
        for place, words in said.items():
            assert expected in words, place


def test_no_place_says_another_unit_cell_or_resolution(said, detail):
    """What is found by its form, not by the list of facts, is one of the facts."""
    known = {word for fact in detail["facts"] for word in _CELL.findall(fact["text"])}
    resolution = next(fact["text"] for fact in detail["facts"] if fact["name"] == "resolution")
    for place, words in said.items():
        cells = set(_CELL.findall(words)) - {"79.20 79.20 38.10 90.00 90.00 90.00"}  # as it was given
        assert cells <= known, place
        assert set(re.findall(r"consensus (\d+\.\d\d) Å", words)) <= {x for cell in known for x in cell.split()}
        assert set(re.findall(r"median (\d+\.\d\d) Å\b(?!²)", words)) <= {resolution.partition(" ")[0]}, place


def test_numbers_in_json_are_those_of_the_texts(detail):
    for fact in detail["facts"]:
        if fact["name"] in ("hits", "indexed", "integrated"):
            values = fact["values"]
            assert fact["text"].startswith(f"{values['n']:,.0f} of {values['of']:,.0f} ")
            assert values["low"] <= values["percent"] <= values["high"]
        elif "median" in fact["values"]:
            shown = re.match(r"[\d,]+(?:\.(\d+))?", fact["text"])
            assert f"{fact['values']['median']:,.{len(shown.group(1) or '')}f}" == shown.group()


async def test_the_page_says_the_same(visit, project, detail):
    user = await visit(project)
    await user.open("/run/001?tab=analysis")
    for fact in detail["facts"]:
        await user.should_see(fact["text"], retries=100)
    finished, hits, integrated = (
        next(fact["values"]["n"] for fact in detail["facts"] if fact["name"] == name)
        for name in ("finished", "hits", "integrated")
    )
    await user.should_see(f"{finished:.0f} of {finished:.0f} frames")
    await user.should_see(f"{hits:.0f} hits, {integrated:.0f} integrated")
