"""The image page: ``/image?run=001&row=0`` or ``/image?path=/data/img_1.cbf&index=0``.

``rows=3,8-12`` names the rows of the run to go through; ``sources`` (files, folders, wildcards and lists, one a line)
and ``some`` (``first 10``, ``5-20``) the images, where there is no run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from nicegui import app, ui

from iota.web.site import Site
from iota.web.widgets.browse import choose_path
from iota.web.widgets.detector_image import DetectorImage
from iota.web.widgets.layout import frame

_SET = ("rows", "sources", "some")
_LISTS = (".lst", ".txt", ".list")


def register(site: Site) -> None:
    """Make the page."""
    app.on_shutdown(site.pixels.close)

    @ui.page("/image")
    async def image_page(request: Request) -> None:
        site.pixels.warm_up()
        with frame(request, "Image", "/image"):
            _build(site, request)


def _build(site: Site, request: Request) -> None:
    given = dict(request.query_params)
    ui.context.client.content.classes("iota-image-page")
    place = _place(given)
    if not place:
        with ui.column().classes("w-full items-center q-pa-xl gap-3"):
            ui.label("No image specified").classes("iota-title")
            ui.label("Open one from a run, from the list of inputs on the start page, or from a file.").classes(
                "iota-muted"
            )
            ui.button("Choose images...", icon="folder_open", on_click=lambda: _choose(site)).props("unelevated")
        return
    query = {name: given[name] for name in _SET if given.get(name)}
    image = DetectorImage(place, query, request.headers.get("x-forwarded-prefix", ""))
    image.classes("w-full")
    image.on("remark", lambda event: ui.notify(str(event.args), multi_line=True, classes="iota-path", timeout=8000))

    async def choose_mask() -> None:
        chosen = await choose_path(
            str(site.home / "masks"), title="Choose a mask or a PHIL file", folders=False, several=False
        )
        if chosen:
            image.load_mask(chosen[0])

    image.on("choose-mask", choose_mask)


def _place(given: dict[str, str]) -> dict[str, Any]:
    """The image that is shown first; its path is empty where it is the first of ``sources``."""
    if given.get("run"):
        row = given.get("row", "") or (given.get("rows", "").split(",")[0].partition("-")[0])
        return {"run": given["run"], "row": int(row) if row.isdigit() else 0}
    path, index = given.get("path", ""), given.get("index", "")
    if path and not given.get("sources") and (path.endswith(_LISTS) or not Path(path).is_file()):
        given["sources"], path = path, ""
    if path or given.get("sources"):
        return {"path": path, "index": int(index) if index.isdigit() else None}
    return {}


async def _choose(site: Site) -> None:
    chosen = await choose_path(str(site.home), title="Choose an image", folders=False, several=False)
    if chosen:
        ui.navigate.to(f"/image?{urlencode({'path': chosen[0]})}")
