"""What a run of a million frames costs the web server, with five viewers.

    .venv/bin/python benchmarks/web_million.py [FRAMES] [SHARE] [UPDATES]

Writes a made-up run (of which SHARE, 0.05, is integrated), starts a server with all of its pages and API in a process
of its own, and looks at the run as pages do: a viewer is told over an open connection that there is more, and pulls the
new rows of six columns. Prints how long it takes until a viewer has all rows, with and without the columns that are
kept beside the ledger, what else the server answers meanwhile, what an update costs, how long a line takes to reach a
viewer, and memory.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import asyncio
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec

from iota.analysis.table.table_cache import NAME
from iota.causes import Cause
from iota.records import FrameRef, FrameResult
from iota.runs import RunFolder, RunState

N_VIEWERS = 5
COLUMNS = "outcome,reason,finished,n_spots,d_min_A,n_strong"
ROWS_PER_UPDATE = 200
EVERY_S = 0.5
WANTED_READY_S, WANTED_UPDATE_S, WANTED_SEEN_S, WANTED_BYTES = 2.0, 0.1, 1.0, 600e6

if str(Path(__file__).parent) not in sys.path:  # below a command of ours it is not there by itself (PYTHONSAFEPATH)
    sys.path.insert(0, str(Path(__file__).parent))


def record(k: int, rng: random.Random, share: float) -> FrameResult:
    """A record as a run over a multi-image file has it."""
    from coordinator import LATTICE  # with DIALS, which the server must not have

    file, index = divmod(k, 1000)
    result = FrameResult(
        frame=FrameRef(f"/gpfs/beamline/2026/visit-1234/raw/lysozyme/run_{file:04d}/run_{file:04d}_master.h5", index),
        name=f"run_{file:04d}_master_{index + 1:05d}",
        outcome="failed_triage",
        n_spots=rng.randrange(10),
        seconds={"import": 0.0124, "spotfinding": 0.0312},
        finished=round(1.79e9 + k * 0.003, 3),
    )
    result.cause, result.values = Cause.TOO_FEW_SPOTS, {"n_spots": result.n_spots or 0, "minimum": 10}
    if rng.random() >= share:
        return result
    a = rng.gauss(79.2, 0.1)
    lattice = msgspec.structs.replace(
        LATTICE,
        unit_cell=(a, a, rng.gauss(38.1, 0.05), 90.0, 90.0, 90.0),
        n_integrated=rng.randrange(100, 900),
        d_min_A=round(rng.gauss(2.0, 0.2), 3),
        files={"pickle": f"final/int_{result.name}.pickle"},
    )
    result.outcome, result.cause, result.values, result.lattices = "integrated", None, {}, [lattice]
    result.settings, result.n_spots, result.spots_d_min_A = "given lattice", rng.randrange(40, 900), 1.9
    stem = f"dials/{result.name}"
    result.files = {"experiments": f"{stem}_integrated.expt", "reflections": f"{stem}_integrated.refl"}
    return result


def write_run(project: Path, n: int, share: float) -> RunFolder:
    folder = RunFolder.create(project)
    folder.write_info(["iota.run", "/data"], {})
    folder.write_text(folder.script, "description = a million\n")
    folder.write_text(folder.log, "")
    rng, encoder = random.Random(1), msgspec.json.Encoder()
    with folder.ledger.open("wb") as file:
        for k in range(n):
            file.write(encoder.encode(record(k, rng, share)) + b"\n")
    RunState(status="running", n_frames=2 * n, n_finished=n).write(folder.state)
    return folder


class Server:
    """The server of a project, in a process of its own."""

    def __init__(self, project: Path, home: Path) -> None:
        environment = {**os.environ, "XDG_STATE_HOME": str(home), "XDG_CACHE_HOME": str(home)}
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(project)], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        for _ in range(200):
            try:
                httpx.get(f"{self.url}/api/versions")
                return
            except httpx.TransportError:
                time.sleep(0.05)
        raise RuntimeError("The server does not answer.")

    def memory_bytes(self, kind: str) -> int:
        """``VmRSS`` now, or ``VmHWM`` at most."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(kind)).split()[1]) * 1024

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()


def serve(project: Path) -> None:
    """The real application, and a route that tells of changes as the socket of a page does."""
    import socket

    import uvicorn
    from starlette.requests import Request
    from starlette.responses import StreamingResponse
    from starlette.routing import Route

    from iota.web.live.runs import live_runs
    from iota.web.projects.projects import Projects
    from iota.web.server import make_app
    from iota.web.site import Site

    projects = Projects(project)

    async def told(_: Request) -> StreamingResponse:
        live, changed = live_runs.get(projects.folder("001")), asyncio.Event()

        async def stream() -> AsyncIterator[bytes]:
            live.subscribe(changed.set)
            try:
                while True:
                    await changed.wait()
                    changed.clear()
                    live.summary()
                    yield f"{live.table.n_rows}\n".encode()
            finally:
                live.unsubscribe(changed.set)

        return StreamingResponse(stream())

    app = make_app(Site(projects))
    app.router.routes.insert(0, Route("/told", told))
    listening = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


async def pull(client: httpx.AsyncClient, url: str, since: int) -> tuple[int, float]:
    """Pull new rows as the browser does; returns up to which there are some, and how much of the ledger is read."""
    answer = await client.get(f"{url}/api/runs/001/columns", params={"names": COLUMNS, "since": since})
    return int(answer.headers["x-rows-to"]), float(answer.headers["x-progress"])


async def pull_all(client: httpx.AsyncClient, url: str, n: int) -> float:
    """Seconds until a viewer has run, state and all rows."""
    start = time.perf_counter()
    await client.get(f"{url}/api/runs/001")
    known = 0
    while known < n:
        known, _ = await pull(client, url, known)
    return time.perf_counter() - start


async def slowest_answer(client: httpx.AsyncClient, url: str, over: asyncio.Event) -> float:
    """The longest that a small question took until something else was over (s)."""
    worst = 0.0
    while not over.is_set():
        start = time.perf_counter()
        await client.get(f"{url}/api/versions")
        worst = max(worst, time.perf_counter() - start)
        await asyncio.sleep(0.02)
    return worst


async def first_view(url: str, n: int, n_viewers: int) -> tuple[float, float]:
    """Seconds until all viewers that come at once have all rows, and the slowest other answer meanwhile."""
    async with httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=50)) as client:
        over = asyncio.Event()
        other = asyncio.create_task(slowest_answer(client, url, over))
        spent = await asyncio.gather(*(pull_all(client, url, n) for _ in range(n_viewers)))
        over.set()
        return max(spent), await other


class Viewer:
    """Keeps a connection over which it is told, and pulls what is new."""

    def __init__(self, url: str, known: int) -> None:
        self.known, self._url = known, url
        self.seen: list[tuple[float, int]] = []  # when, rows

    async def watch(self) -> None:
        async with httpx.AsyncClient(timeout=None) as client, client.stream("GET", f"{self._url}/told") as told:
            async for _ in told.aiter_lines():
                self.known, _ = await pull(client, self._url, self.known)
                self.seen.append((time.perf_counter(), self.known))


async def updates(server: Server, folder: RunFolder, n: int, n_updates: int) -> tuple[float, list[float]]:
    """CPU seconds of the server for each update of all viewers, and seconds until each of them had each update."""
    viewers = [Viewer(server.url, n) for _ in range(N_VIEWERS)]
    tasks = [asyncio.create_task(viewer.watch()) for viewer in viewers]
    await asyncio.sleep(3 * EVERY_S)
    rng, encoder = random.Random(2), msgspec.json.Encoder()
    cpu, written = server.cpu_s(), []
    with folder.ledger.open("ab", buffering=0) as file:
        for k in range(n_updates):
            first = n + k * ROWS_PER_UPDATE
            lines = [encoder.encode(record(first + i, rng, 0.05)) + b"\n" for i in range(ROWS_PER_UPDATE)]
            file.write(b"".join(lines))
            written.append((time.perf_counter(), first + ROWS_PER_UPDATE))
            RunState(status="running", n_frames=2 * n, n_finished=first + ROWS_PER_UPDATE).write(folder.state)
            await asyncio.sleep(EVERY_S)
    await asyncio.sleep(2 * EVERY_S)
    cpu = server.cpu_s() - cpu
    for task in tasks:
        task.cancel()
    late = [
        next(seen for seen, n_rows in viewer.seen if n_rows >= rows) - when
        for viewer in viewers
        for when, rows in written
    ]
    return cpu / n_updates, late


def main() -> int:
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]))
        return 0
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    share = float(sys.argv[2]) if len(sys.argv) > 2 else 0.05
    n_updates = int(sys.argv[3]) if len(sys.argv) > 3 else 40
    good = []
    with tempfile.TemporaryDirectory() as name:
        folder = write_run(Path(name), n, share)
        size = folder.ledger.stat().st_size
        print(f"{n} frames, {share:.0%} integrated, ledger of {size / 1e6:.0f} MB")
        for kept in (False, True):
            server = Server(Path(name), Path(name) / "home")
            try:
                empty = server.memory_bytes("VmRSS")
                ready, slowest = asyncio.run(first_view(server.url, n, 1))
                what = "columns kept" if kept else "nothing kept"
                print(f"{what}: all rows after {ready:.2f} s; other answers within {slowest * 1000:.0f} ms meanwhile")
                if not kept:
                    for _ in range(100):
                        if (folder.path / NAME).exists():
                            break
                        time.sleep(0.05)
                    print(f"kept columns: {(folder.path / NAME).stat().st_size / 1e6:.0f} MB")
                    continue
                again, slowest = asyncio.run(first_view(server.url, n, N_VIEWERS))
                print(f"{N_VIEWERS} viewers at once: {again:.2f} s; other answers within {slowest * 1000:.0f} ms")
                cost, late = asyncio.run(updates(server, folder, n, n_updates))
                memory = server.memory_bytes("VmHWM")
                print(
                    f"an update of {ROWS_PER_UPDATE} rows every {EVERY_S} s for {N_VIEWERS} viewers:"
                    f" {cost * 1000:.0f} ms of the server's CPU; seen after {statistics.median(late):.2f} s"
                    f" (at most {max(late):.2f} s)"
                )
                print(
                    f"memory of the server: {memory / 1e6:.0f} MB at most, {empty / 1e6:.0f} MB before a run is opened"
                )
                good = [
                    ready <= WANTED_READY_S,
                    cost <= WANTED_UPDATE_S,
                    max(late) <= WANTED_SEEN_S,
                    memory <= WANTED_BYTES,
                ]
            finally:
                server.end()
    print("all as wanted" if all(good) else "NOT as wanted")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
