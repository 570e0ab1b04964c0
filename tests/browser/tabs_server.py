"""Serves the tabs of a run on a page of their own: ``python tabs_server.py PROJECT`` prints its address."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from nicegui import ui

from iota.web import layout, report, scatter, selection_bar
from iota.web.api import add_api
from iota.web.live import live_runs
from iota.web.projects import Projects
from iota.web.selection import Selection
from iota.web.tabs import analysis, charts, frames, why

TABS = {"charts": charts, "frames": frames, "why": why, "analysis": analysis}


def main() -> None:
    projects = Projects(Path(sys.argv[1]))
    app = FastAPI()
    layout.serve_static()

    @ui.page("/runs/{run_id}")
    async def run_page(request: Request, run_id: str, tab: str = "charts") -> None:
        live = live_runs.get(projects.folder(run_id))
        await live.current()
        selection = Selection(live, run_id)
        with layout.frame(request, "Run"):
            scatter.add_style()
            with ui.tabs() as tabs:
                for name in TABS:
                    ui.tab(name)
            selection_bar.build(selection)
            selection.enter(tab)
            panels = ui.tab_panels(tabs, value=tab, on_change=lambda event: selection.enter(event.value))
            with panels.classes("w-full bg-transparent").props("keep-alive"):
                for name, module in TABS.items():
                    with ui.tab_panel(name).classes("p-0 gap-3"):
                        module.build(live, selection)

    @ui.page("/")
    def start(request: Request) -> None:
        ui.label(str(request.url.query)).mark("query")

    app.include_router(report.make_router(projects))
    add_api(app, projects)
    ui.run_with(app, show_welcome_message=False)
    listening = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


main()
