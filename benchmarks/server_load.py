"""What the web server does for twenty people while others do their worst: memory, waiting times, and its end.

    .venv/bin/python benchmarks/server_load.py [FRAMES] [CLIENTS] [SECONDS] [DETECTOR]

Writes a made-up run of FRAMES, 300,000, of which 400 are simulated images of DETECTOR, 6m, and starts the server of
its project. CLIENTS, 20, open one image after the other for SECONDS, 60, with some seconds between. Meanwhile come

- wildcards over the whole file system, eight at once, of which half leave without waiting for the answer
- 200 connections that send nothing, half a head or half a body
- 20 bodies of 200 MB, announced or not

Prints how long it took until an image could be seen, memory of the server (resident) and of it with all its processes
(proportional), and how long the server takes to end when it is told to under all this. Nothing else should run.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import msgspec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import made_up_run

from iota.records import FrameRef
from iota.runs import RunFolder, RunState
from iota.simulate.dataset import write_dataset
from iota.simulate.detector import make_detector
from iota.simulate.experiment import Experiment

N_IMAGES, N_SIMULATED = 400, 8
N_SEARCHES, N_HALF_OPEN, N_BODIES, BODY_BYTES = 8, 200, 20, 200_000_000
VIEW = (1280, 800)  # of the browser, px
WANTED_OPEN_S, WANTED_BYTES, WANTED_AFTER_BYTES, WANTED_END_S = 3.0, 700e6, 400e6, 6.0


def write_run(project: Path, n: int, detector: str) -> RunFolder:
    """A run whose first frames are images that are there."""
    write_dataset(project / "simulated", Experiment(detector=make_detector(detector)), N_SIMULATED, nproc=2)
    simulated = sorted((project / "simulated").glob("*.cbf"))
    images = project / "images"
    images.mkdir()
    folder = RunFolder.create(project)
    folder.write_info(["iota.run", "/data"], {})
    folder.write_text(folder.script, "description = under load\n")
    folder.write_text(folder.target, "")
    folder.write_text(folder.log, "")
    with folder.ledger.open("wb") as ledger:
        for k in range(n):
            result = made_up_run.result(k)
            if k < N_IMAGES:
                path = images / f"shot_{k + 1:05d}.cbf"
                os.link(simulated[k % len(simulated)], path)
                result.frame = FrameRef(str(path))
            ledger.write(msgspec.json.encode(result) + b"\n")
    RunState(status="finished", n_frames=n, n_finished=n).write(folder.state)
    return folder


class Server:
    """The real server of a project, in a process of its own."""

    def __init__(self, project: Path) -> None:
        environment = {**os.environ, "XDG_STATE_HOME": str(project), "XDG_CACHE_HOME": str(project)}
        self.said = project / "said.txt"
        with self.said.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, __file__, "--serve", str(project)],
                stdout=subprocess.PIPE, stderr=errors, text=True, env=environment,
            )  # fmt: skip
        assert self._process.stdout is not None
        self.url, token = self._process.stdout.readline().split()
        self.port = int(self.url.rpartition(":")[2])
        self.headers = {"Authorization": f"Bearer {token}"}

    def resident(self) -> int:
        """Memory of the server itself (bytes)."""
        return _kilobytes(self._process.pid, "status", "VmRSS") * 1024

    def proportional(self) -> int:
        """Memory of the server and all processes that it has started; what they share counts once (bytes)."""
        return sum(_kilobytes(pid, "smaps_rollup", "Pss") for pid in _family(self._process.pid)) * 1024

    def end(self) -> float:
        """Tell it to end; seconds until it has."""
        start = time.perf_counter()
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return time.perf_counter() - start


def _kilobytes(pid: int, file: str, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:  # it has just ended
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def _family(pid: int) -> set[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, more = {pid}, {pid}
    while more:
        more = {child for child, parent in parents.items() if parent in more} - found
        found |= more
    return found


def serve(project: Path) -> None:
    """Be the server; says its address and token."""
    import signal

    from iota.web.server import Server as WebServer

    server = WebServer(project)
    print(f"http://127.0.0.1:{server.running.port}", server.running.token, flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server.serve()


# -- people


async def view_pages(
    client: httpx.AsyncClient, rng: random.Random, until: float, waits: list[float], wrong: Counter[str]
) -> None:
    """Open one image after the other, as the page does: what it is, then what of it fits into the window."""
    await asyncio.sleep(rng.uniform(0, 3))
    while time.perf_counter() < until:
        start = time.perf_counter()
        place = {"run": "001", "row": rng.randrange(N_IMAGES)}
        try:
            opened = await client.get("/api/image/open", params=place)
            opened.raise_for_status()
            size = opened.json()["layout"]["panels"][0]["size"]
            tiles = await client.get("/api/image/tiles", params={**place, "tiles": _first_view(size)})
            tiles.raise_for_status()
            waits.append(time.perf_counter() - start)
        except httpx.HTTPStatusError as error:
            wrong[error.response.text] += 1
        except httpx.HTTPError as error:
            wrong[type(error).__name__] += 1
        await asyncio.sleep(rng.uniform(1, 5))


def _first_view(size: tuple[int, int]) -> str:
    level = max(0, math.floor(math.log2(max(size[0] / VIEW[0], size[1] / VIEW[1]))))
    across, down = (math.ceil(n / (256 << level)) for n in size)
    return ",".join(f"0.{level}.{x}.{y}" for y in range(down) for x in range(across))


# -- others


async def search(client: httpx.AsyncClient, k: int, until: float, answers: Counter[str]) -> None:
    """Look for images everywhere; every other one leaves soon."""
    while time.perf_counter() < until:
        patience = 3.0 if k % 2 else until - time.perf_counter() + 1
        try:
            answer = await client.post("/api/image/set", params={"sources": "/**"}, timeout=max(patience, 1))
            answers[f"{answer.status_code} {answer.json().get('error', {}).get('message', 'found')[:40]}"] += 1
        except httpx.TimeoutException:
            answers["left"] += 1
        except httpx.HTTPError as error:
            answers[type(error).__name__] += 1
        await asyncio.sleep(0.5)


async def half_open(server: Server, k: int, n_kinds: int, until: float, closed: list[float]) -> None:
    """Connect and never finish a request; seconds until the server had enough."""
    head = "".join(f"{name}: {value}\r\n" for name, value in server.headers.items())
    data = ("", "GET / HT", f"POST /api/runs HTTP/1.1\r\nHost: x\r\n{head}Content-Length: 1000\r\n\r\n{{")[k % n_kinds]
    start = time.perf_counter()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(data.encode())
        await asyncio.wait_for(reader.read(), max(60.0, until + 15 - start))
        closed.append(time.perf_counter() - start)
        writer.close()
    except asyncio.TimeoutError:
        closed.append(math.inf)
    except OSError:
        closed.append(time.perf_counter() - start)


async def send_body(client: httpx.AsyncClient, k: int, answers: Counter[str]) -> None:
    """Send far more than any request needs."""

    async def parts() -> Any:
        for _ in range(BODY_BYTES // 1_000_000):
            yield bytes(1_000_000)

    length = {} if k % 2 else {"Content-Length": str(BODY_BYTES)}
    try:
        answer = await client.post("/api/runs", content=parts(), headers=length)
        answers[str(answer.status_code)] += 1
    except httpx.HTTPError as error:  # the connection is closed while it still sends
        answers[type(error).__name__] += 1


async def memory(server: Server, over: asyncio.Event, most: dict[str, int]) -> None:
    """The most memory until it is over."""
    while not over.is_set():
        most["resident"] = max(most["resident"], server.resident())
        most["proportional"] = max(most["proportional"], await asyncio.to_thread(server.proportional))
        await asyncio.sleep(0.25)


class Load:
    """All of them at once."""

    def __init__(self, server: Server, n_clients: int, seconds: float) -> None:
        self.waits: list[float] = []
        self.closed: list[float] = []
        self.wrong, self.searches, self.bodies = Counter[str](), Counter[str](), Counter[str]()
        self.most = {"resident": 0, "proportional": 0}
        self._server, self._n_clients, self._seconds = server, n_clients, seconds

    async def run(self, at_end: Callable[[], object] | None = None) -> None:
        """Let all do what they do; ``at_end`` is called when the time is over, while they are still there."""
        until = time.perf_counter() + self._seconds
        limits = httpx.Limits(max_connections=500, max_keepalive_connections=100)
        over = asyncio.Event()
        n_kinds = 3 if self._seconds >= 30 else 2  # half a body is waited for for half a minute
        async with httpx.AsyncClient(
            base_url=self._server.url, headers=self._server.headers, timeout=120, limits=limits
        ) as client:
            watch = asyncio.create_task(memory(self._server, over, self.most))
            everybody: list[Coroutine[Any, Any, None]] = [
                *(view_pages(client, random.Random(k), until, self.waits, self.wrong) for k in range(self._n_clients)),
                *(search(client, k, until, self.searches) for k in range(N_SEARCHES)),
                *(half_open(self._server, k, n_kinds, until, self.closed) for k in range(N_HALF_OPEN)),
                *(send_body(client, k, self.bodies) for k in range(N_BODIES)),
            ]
            tasks = [asyncio.ensure_future(one) for one in everybody]
            if at_end is not None:
                await asyncio.sleep(self._seconds)
                await asyncio.to_thread(at_end)
                for task in tasks:
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=at_end is not None)
            over.set()
            await watch


async def warm(server: Server, n_clients: int) -> None:
    """Have the run read and the processes that open images started, as on any day."""
    async with httpx.AsyncClient(base_url=server.url, headers=server.headers, timeout=300) as client:
        for _ in range(600):
            try:
                answer = await client.get("/api/runs/001")
                if answer.json().get("table", {}).get("progress") == 1.0:
                    break
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.5)
        wrong: Counter[str] = Counter()
        now = time.perf_counter()
        await asyncio.gather(*(view_pages(client, random.Random(-k), now + 5, [], wrong) for k in range(n_clients)))


def main() -> int:
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]))
        return 0
    n, n_clients, seconds = (int(given) for given in [*sys.argv[1:4], *("300000", "20", "60")[len(sys.argv[1:4]) :]])
    detector = sys.argv[4] if len(sys.argv) > 4 else "6m"
    with tempfile.TemporaryDirectory() as name:
        project = Path(name)
        write_run(project, n, detector)
        server = Server(project)
        try:
            asyncio.run(warm(server, n_clients))
            before = server.resident(), server.proportional()
            load = Load(server, n_clients, seconds)
            asyncio.run(load.run())
            time.sleep(5)
            after = server.resident(), server.proportional()
            again = Load(server, n_clients, 5)
            ended_after: list[float] = []
            asyncio.run(again.run(lambda: ended_after.append(server.end())))
        finally:
            server.end()
        said = server.said.read_text(errors="replace")
        tracebacks = said.count("Traceback")
    slowest, median = max(load.waits, default=math.inf), statistics.median(load.waits or [math.inf])
    print(f"{n} frames, {n_clients} clients, {seconds} s")
    print(
        f"{len(load.waits)} images opened: {median:.2f} s (at most {slowest:.2f} s); not: {dict(load.wrong) or 'none'}"
    )
    print(f"searches: {dict(load.searches)}; bodies of {BODY_BYTES / 1e6:.0f} MB: {dict(load.bodies)}")
    print(f"{len(load.closed)} half-open connections were closed after {max(load.closed):.1f} s at most")
    for what, k in (("resident", 0), ("proportional", 1)):
        whose = "of the server" if what == "resident" else "with its processes"
        figures = [f"{n_bytes / 1e6:.0f} MB" for n_bytes in (before[k], load.most[what], after[k])]
        print(f"memory {whose}: {figures[0]} before, {figures[1]} at most, {figures[2]} after")
    print(f"told to end while all this went on, it had ended after {ended_after[0]:.1f} s; {tracebacks} tracebacks")
    good = [
        slowest <= WANTED_OPEN_S and not load.wrong and len(load.waits) >= n_clients,
        load.most["resident"] <= WANTED_BYTES and after[0] <= WANTED_AFTER_BYTES,
        max(load.closed) < math.inf and len(load.closed) == N_HALF_OPEN,
        ended_after[0] <= WANTED_END_S and not tracebacks,
    ]
    if tracebacks:
        print(said[-5000:])
    print("all as wanted" if all(good) else "NOT as wanted")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
