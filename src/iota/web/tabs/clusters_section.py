"""Clusters of unit cells in the Analysis tab: options, progress, table, actions."""

from __future__ import annotations

import numpy as np
from nicegui import ui

from iota.analysis.cells.cluster_job import CLUSTERS, ClusterQuestion, FoundCluster
from iota.crystallography.cells import cell_text
from iota.processes.question import NoAnswerError
from iota.processes.question_queue import Cancelled, Latest, QuestionQueue
from iota.web.widgets.links import start_link
from iota.web.widgets.selection import Selection

_queue = QuestionQueue(at_once=2)
_HEAD = ("#", "lattices", "Bravais lattice", "unit cell (Å, °)", "SD of a b c (Å)", "multiples", "")


class ClustersSection:
    """A card; the work is done by a process of its own, which can be cancelled."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._work = Latest(_queue)
        with ui.column().classes("iota-card gap-2"):
            ui.label("Clusters of unit cells").classes("iota-title")
            with ui.row().classes("w-full items-center gap-3"):
                self._threshold = _number(
                    "Threshold (Å²)",
                    None,
                    "analysis.clustering.threshold; if empty, clusters are found by their density",
                )
                self._n_images = _number(
                    "Images", None, "analysis.clustering.n_images, chosen at random; if empty, all images"
                )
                self._limit = _number("Minimum cluster size", 5, "analysis.clustering.limit")
                self._write = ui.checkbox("Write uc_cluster_N.lst", value=True)
                self._run = ui.button("Run clustering", icon="bubble_chart", on_click=self._start).props("unelevated")
                self._cancel = ui.button("Cancel", on_click=self._work.cancel).props("flat")
                self._bar = ui.linear_progress(0, show_value=False).props("instant-feedback").classes("iota-progress")
            self._sentence = ui.label("Similar cells form a cluster, so crystal forms, supercells and misindexed frames"
                                      " are separated.").classes("iota-muted")  # fmt: skip
            self._table = ui.element("div").classes("w-full")
        self._show_work(False)
        ui.context.client.on_delete(self._work.cancel)

    def _show_work(self, is_at_work: bool) -> None:
        self._run.set_enabled(not is_at_work)
        self._cancel.set_visibility(is_at_work)
        self._bar.set_visibility(is_at_work)

    async def _start(self) -> None:
        question = ClusterQuestion(
            folder=str(self._selection.live.folder.path),
            threshold=float(self._threshold.value) if self._threshold.value else None,
            n_images=int(self._n_images.value) if self._n_images.value else None,
            limit=int(self._limit.value or 1),
            write_files=bool(self._write.value),
        )
        self._table.clear()
        self._sentence.set_text("Comparing cells...")
        self._bar.set_value(0)
        self._show_work(True)
        try:
            self._show(question, await self._work.ask(CLUSTERS, question, self._bar.set_value))
        except Cancelled:
            self._sentence.set_text("Clustering was cancelled.")
        except NoAnswerError as error:
            self._sentence.set_text(str(error))
        self._show_work(False)

    def _show(self, question: ClusterQuestion, clusters: list[FoundCluster]) -> None:
        if not clusters:
            self._sentence.set_text(
                f"No cluster has {question.limit} lattices or more. Lower the minimum size, or use a larger threshold."
            )
            return
        lists = (
            f" Lists of images: {self._selection.live.folder.path}/uc_cluster_N.lst." if question.write_files else ""
        )
        number = "1 cluster." if len(clusters) == 1 else f"{len(clusters)} clusters, the largest first."
        n_alone = self._selection.live.summary().n_lattices - sum(found.cluster.n_lattices for found in clusters)
        alone = ""
        if n_alone > 0 and question.n_images is None:
            alone = f" Lattices not in any cluster of at least {question.limit}: {n_alone:,}."
        multiples = ""
        if any(found.cluster.n_multiples for found in clusters):
            multiples = " Multiples are other lattices that are supercells or subcells of the cluster (index 2 to 4)."
        self._sentence.set_text(number + alone + multiples + lists)
        with self._table, ui.element("table").classes("iota-plain-table"):
            with ui.element("tr"):
                for words in _HEAD:
                    with ui.element("th"):
                        ui.label(words)
            for number_, found in enumerate(clusters, start=1):
                self._line(number_, found)

    def _line(self, number: int, found: FoundCluster) -> None:
        cluster = found.cluster
        words = (
            str(number), str(cluster.n_lattices), f"{cluster.bravais} ({cluster.space_group})",
            cell_text(cluster.unit_cell), cell_text(cluster.unit_cell_spread[:3]),
            f"{cluster.n_multiples:,}" if cluster.n_multiples else "",
        )  # fmt: skip
        with ui.element("tr"):
            for text in words:
                with ui.element("td").classes("iota-number"):
                    ui.label(text)
            with ui.element("td"), ui.row().classes("gap-1 no-wrap"):
                choose = ui.button("Select", icon="checklist", on_click=lambda: self._choose(number, found))
                choose.props("outline dense no-caps").tooltip("Select the frames of this cluster")
                values = {
                    "cctbx_xfel.target_unit_cell": cell_text(cluster.unit_cell),
                    "cctbx_xfel.target_space_group": cluster.space_group,
                }
                link = start_link(self._selection.run_id, values=values)
                use = ui.button("Use as target", icon="my_location", on_click=lambda: ui.navigate.to(link))
                use.props("outline dense no-caps").tooltip("Use this cell and space group as the target of a new run")

    def _choose(self, number: int, found: FoundCluster) -> None:
        self._selection.choose_rows(np.array(found.rows, np.int64), f"cluster {number}")


def _number(label: str, value: float | None, tip: str) -> ui.number:
    field = ui.number(label, value=value, min=0).props("dense outlined").classes("iota-number-field")
    field.tooltip(tip)
    return field
