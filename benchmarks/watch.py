"""What monitor mode costs: latency of new files and time of a poll beside many old ones.

python benchmarks/watch.py [OLD_FILES] [FOLDERS]
"""

import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from iota.inputs.watch import Watcher

HEAD = b"###CBF: VERSION 1.5\r\n--CIF-BINARY-FORMAT-SECTION--\r\nX-Binary-Size: 64\r\n\r\n\x0c\x1a\x04\xd5"
IMAGE = HEAD + bytes(64) + b"\r\n--CIF-BINARY-FORMAT-SECTION----\r\n;\r\n"
EVERY_S = 0.25
ARRIVING_S = 10.0


def write(path: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(fd, IMAGE)
    os.close(fd)


def watch_arrivals(watcher: Watcher, folder: Path, per_second: int) -> tuple[list[float], list[float]]:
    """Return latencies (s) of files written one by one, and durations of polls (s)."""
    written: dict[str, float] = {}
    stop = threading.Event()

    def arrive() -> None:
        while not stop.wait(1 / per_second):
            path = f"{folder}/new_{per_second}_{len(written):06d}.cbf"
            write(path)
            written[path] = time.monotonic()

    thread = threading.Thread(target=arrive)
    thread.start()
    latencies, polls, end = [], [], time.monotonic() + ARRIVING_S
    while time.monotonic() < end or len(latencies) < len(written):
        started = time.perf_counter()
        frames = watcher.poll()
        polls.append(time.perf_counter() - started)
        latencies += [time.monotonic() - written[frame.path] for frame in frames]
        if time.monotonic() > end:
            stop.set()
        time.sleep(EVERY_S)
    thread.join()
    return latencies, polls


def main() -> None:
    n_files, n_folders = (int(text) for text in (*sys.argv[1:], "100000", "1")[:2])
    with tempfile.TemporaryDirectory() as scratch:
        for i in range(n_folders):
            folder = Path(scratch, f"run_{i:04d}")
            folder.mkdir()
            for k in range(n_files // n_folders):
                write(f"{folder}/old_{k:06d}.cbf")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        watcher, n_found, polls = Watcher([scratch]), 0, []
        started = time.perf_counter()
        while n_found < n_files:
            begun = time.perf_counter()
            n_found += len(watcher.poll())
            polls.append(time.perf_counter() - begun)
        print(f"{n_files} old files in {n_folders} folders")
        print(f"  found in {time.perf_counter() - started:.2f} s, longest poll {1e3 * max(polls):.0f} ms,", end=" ")
        print(f"{(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / n_files:.0f} bytes a file")
        quiet = []
        for _ in range(40):
            time.sleep(0.05)
            begun = time.perf_counter()
            watcher.poll()
            quiet.append(time.perf_counter() - begun)
        print(f"  quiet poll {1e3 * statistics.median(quiet[10:]):.2f} ms, longest {1e3 * max(quiet[10:]):.2f} ms")
        for per_second in (2, 50):
            latencies, polls = watch_arrivals(watcher, folder, per_second)
            print(f"  {per_second} new files a second: latency {statistics.median(latencies):.2f} s,", end=" ")
            print(f"longest {max(latencies):.2f} s; {100 * sum(polls) / ARRIVING_S:.1f} % of the time in polls")


if __name__ == "__main__":
    main()
