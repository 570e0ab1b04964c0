"""The detector image as an element of a page."""

from __future__ import annotations

from typing import Any

from nicegui import ui
from nicegui.element import Element

import iota
from iota.web.widgets.layout import STATIC


class DetectorImage(Element, component=STATIC / "detector_view.js", esm={"iota-image": str(STATIC / "image")}):
    """Picture, overlays and mask tool; the browser fetches counts and marks by itself.

    Events: ``remark`` with a sentence for people, ``choose-mask`` when a file is to be chosen for :meth:`load_mask`.
    """

    def __init__(self, place: dict[str, Any], query: dict[str, str], prefix: str = "") -> None:
        """Show an image.

        Args:
            place: ``run`` and ``row``, or ``path`` and ``index``.
            query: of the set of images that is gone through: ``rows``, ``sources``, ``some``.
            prefix: under which a proxy shows the server.
        """
        super().__init__()
        ui.add_head_html(f'<link rel="stylesheet" href="{prefix}/iota-static/image/image.css?v={iota.__version__}">')
        self._props["place"] = place
        self._props["query"] = query

    def load_mask(self, path: str) -> None:
        """Join a mask, or take over the shapes of a PHIL file."""
        self.run_method("load_mask", path)
