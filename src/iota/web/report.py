"""A run on one page, to print or to save: one file that needs no server."""

from __future__ import annotations

import html
import time

import msgspec
from fastapi import APIRouter, Response

import iota
from iota.analysis.columns import CELL
from iota.analysis.facts import Facts, lattice_facts, run_facts
from iota.analysis.failures import failures
from iota.report.charts.geometry import heat_map
from iota.report.charts.histograms import BEAM, RESOLUTION, WILSON
from iota.runs.folder import RunInfo
from iota.web.heat_maps import grid_tally
from iota.web.index_counting import index_counting
from iota.web.live import LiveRun, live_runs
from iota.web.projects import Projects
from iota.web.run_charts import charts_of

_STYLE = """
body { font: 13px/1.45 system-ui, sans-serif; max-width: 1000px; margin: 24px auto; padding: 0 16px; color: #1c2730;
  background: #fff; }
h1 { font-size: 20px; margin: 0; } h2 { font-size: 15px; margin: 22px 0 6px; break-after: avoid; }
.muted { color: #5c6b78; overflow-wrap: anywhere; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 16px; }
.three { display: grid; grid-template-columns: repeat(3, 1fr); gap: 12px; }
figure { margin: 0; break-inside: avoid; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; margin: 0; align-content: start; }
dt { color: #5c6b78; } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: 3px 10px 3px 0; }
td { border-top: 1px solid #d5dbe1; } .n { text-align: right; }
@media print { body { margin: 0; } }
"""


def make_router(projects: Projects) -> APIRouter:
    """The route of reports, ``/run/ID/report``."""
    router = APIRouter()

    @router.get("/run/{run_id}/report", include_in_schema=False)
    async def report(run_id: str) -> Response:
        live = live_runs.get(projects.folder(run_id))
        await live.current(10.0)
        name = f"iota_run_{live.folder.path.name}.html"
        headers = {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "no-store"}
        return Response(await report_html(live), media_type="text/html; charset=utf-8", headers=headers)

    return router


async def report_html(live: LiveRun) -> str:
    """The report of a run as it stands."""
    charts, tally = charts_of(live), grid_tally(live)
    await charts.update()
    await tally.update()
    summary = live.summary()
    symbol = summary.consensus.space_group if summary.consensus else ""
    indices = await index_counting(live).pictures(symbol)
    title = f"IOTA run {live.folder.path.name}"
    parts = [
        f"<h1>{title}</h1>",
        f"<div class='muted'>{html.escape(str(live.folder.path))}<br>{html.escape(_origin(live))}</div>",
        "<h2>Outcomes</h2>" + _figure(charts.outcome_bar()) + _grid("two", [charts.rates(), charts.funnel()]),
        f"<div class='two'><div><h2>Summary</h2>{_facts(run_facts(summary))}</div>"
        f"<div><h2>Consensus lattice</h2>{_facts(lattice_facts(summary)) or 'No frame is integrated.'}</div></div>",
        "<h2>Unit cells, resolution and Wilson B</h2>"
        + _grid("three", [charts.histogram(name) for name in (*CELL, RESOLUTION.name, WILSON.name)]),
        f"<h2>Indices with measurements</h2><div class='muted'>{html.escape(indices.words or indices.sentence)}</div>",
    ]
    if indices.slices:
        below = [indices.colours + indices.completeness]
        parts.append(_grid("three", [*indices.slices, *below]))
    parts.append("<h2>Geometry</h2>" + _grid("three", [charts.beam(), *(charts.histogram(q.name) for q in BEAM)]))
    if tally.tally:
        maps = [heat_map(tally.tally, 1, "Frames with a lattice"), heat_map(tally.tally, 2, "Chosen")]
        parts.append("<h2>Grid search of spot-finding settings</h2>" + _grid("two", maps))
    parts.append("<h2>Why frames failed</h2>" + _failures(live))
    head = f"<meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style>"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(parts)}</body></html>"


def _origin(live: LiveRun) -> str:
    written = time.strftime("%Y-%m-%d %H:%M")
    try:
        info = msgspec.json.decode(live.folder.info.read_bytes(), type=RunInfo)
    except (OSError, msgspec.DecodeError):
        return f"Report of {written}, IOTA {iota.__version__}"
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(info.started))
    versions = ", ".join(
        version if version.lower().startswith(name.lower()) else f"{name} {version}"
        for name, version in info.versions.items()
    )
    return f"Started {started} on {info.host} with {versions}. Report of {written}."


def _facts(facts: Facts) -> str:
    lines = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in facts)
    return f"<dl>{lines}</dl>" if facts else ""


def _figure(inner: str) -> str:
    return f"<figure>{inner}</figure>"


def _grid(kind: str, pictures: list[str]) -> str:
    return f"<div class='{kind}'>{''.join(map(_figure, pictures))}</div>"


def _failures(live: LiveRun) -> str:
    found = failures(live.table)
    lines = "".join(f"<tr><td class='n'>{f.n}</td><td>{html.escape(f.reason)}</td></tr>" for f in found[:30])
    return f"<table><tr><th class='n'>frames</th><th>reason</th></tr>{lines}</table>" if found else "None did."
