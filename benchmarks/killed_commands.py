"""iota.export, iota.merge and iota.report, killed while they write."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from killing import Bench, command, is_over, kill_group, kill_process, start

from iota.merging.merge_folders import merge_folders, merge_state
from iota.runs import RunFolder

_EXPORTED = {"run.stream", "run.geom", "run.cell", "integrated_001.expt", "integrated_001.refl", "integrated.lst"}
_MERGED = {"merge.json", "merged.mtz", "scaled.expt", "scaled.refl", "merging.png", "merging.pdf"}


def kill(bench: Bench, target: str, n_kills: int, run: RunFolder) -> None:
    """Kill a command on a finished run until there were enough kills, and look at what it left each time."""
    if not n_kills:
        return
    name = f"iota.{target}"
    began = time.monotonic()
    command(name, (run.path,), bench.folder)
    longest_s = time.monotonic() - began
    _check(bench, target, run, is_done=True)
    while bench.kills[target] < n_kills:
        process = start(name, (run.path,), bench.folder)
        if not is_over(process, bench.random.uniform(0.1, 1.0) * longest_s):
            (bench.random.choice([kill_process, kill_group]))(process)
            bench.count(target, "kills")
        _check(bench, target, run, is_done=process.returncode == 0)
        kill_group(process)  # what the killed one has left running


def _check(bench: Bench, target: str, run: RunFolder, *, is_done: bool) -> None:
    """Look at what there is now, and clear it away."""
    if target == "report":
        bench.check_files(target, run.path)
        for name in ("report.html", "report.md"):
            if is_done and not (run.path / name).is_file():
                bench.problem(target, f"{name} is missing")
        return
    above = run.path / target
    if above.is_dir():
        bench.check_files(target, above)
    for folder in sorted(above.glob("[0-9]*")):
        (_check_export if target == "export" else _check_merge)(bench, folder)
    shutil.rmtree(above, ignore_errors=True)


def _check_export(bench: Bench, folder: Path) -> None:
    export = json.loads((folder / "export.json").read_text())
    for file in export["files"]:
        if (folder / file["name"]).stat().st_size != file["n_bytes"]:
            bench.problem("export", f"{folder / file['name']} is not of {file['n_bytes']} bytes", "half files")
    if not {"run.stream", "run.geom", "integrated_001.expt", "integrated_001.refl"} <= {
        f["name"] for f in export["files"]
    }:
        bench.problem("export", f"{folder} has a number and not all files", "half files")


def _check_merge(bench: Bench, folder: Path) -> None:
    state = merge_state(folder)
    there = {path.name for path in folder.iterdir()}
    if state.status == "done" and not there >= _MERGED:
        bench.problem("merge", f"{folder} is done and lacks {sorted(_MERGED - there)}", "half files")
    if state.status not in ("done", "interrupted", "stopped") or merge_folders(folder.parents[1])[0] != folder:
        bench.problem("merge", f"{folder} is {state.status} after its process was killed")
