"""What monitor mode costs: latency of new files and time of a poll beside many old ones, and after a rest.

python benchmarks/watch.py [OLD_FILES] [FOLDERS] [REST_S]

With a rest of more than a minute, when folders count as quiet, files then come into random folders. Files are handed
over a quarter of a second after their last change at the earliest, and polls follow each other as in a run.
"""

import os
import random
import resource
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from iota.inputs.watching.watch import Watcher
from iota.processing.feed import WatchFeed

HEAD = b"###CBF: VERSION 1.5\r\n--CIF-BINARY-FORMAT-SECTION--\r\nX-Binary-Size: 64\r\n\r\n\x0c\x1a\x04\xd5"
IMAGE = HEAD + bytes(64) + b"\r\n--CIF-BINARY-FORMAT-SECTION----\r\n;\r\n"
LOOP_S = 0.1  # between two looks at the feed, as in the coordinator
ARRIVING_S = 10.0


def write(path: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(fd, IMAGE)
    os.close(fd)


def watch_arrivals(watcher: Watcher, folders: list[Path], per_second: float) -> tuple[list[float], float]:
    """Return latencies (s) of files written one by one, and the share of a core that watching took meanwhile."""
    written: dict[str, float] = {}
    stop = threading.Event()

    def arrive() -> None:
        while not stop.wait(1 / per_second):
            path = f"{random.choice(folders)}/new_{per_second}_{len(written):06d}.cbf"
            written[path] = time.monotonic()
            write(path)

    thread = threading.Thread(target=arrive)
    thread.start()
    latencies: list[float] = []
    feed = WatchFeed(watcher, lambda frames, moved=(): None, lambda: False)
    begun, cpu_s = time.monotonic(), time.thread_time()
    while time.monotonic() < begun + ARRIVING_S or len(latencies) < len(written):
        latencies += [time.monotonic() - written[frame.path] for frame in feed.poll()]
        if time.monotonic() > begun + ARRIVING_S:
            stop.set()  # and go on until all is found
        time.sleep(LOOP_S)
    stop.set()
    thread.join()
    return latencies, (time.thread_time() - cpu_s) / (time.monotonic() - begun)


def rest(watcher: Watcher, seconds: float) -> float:
    """Poll while nothing comes; return the share of a core that it took."""
    feed = WatchFeed(watcher, lambda frames, moved=(): None, lambda: False)
    begun, cpu_s = time.monotonic(), time.thread_time()
    while time.monotonic() < begun + seconds:
        feed.poll()
        time.sleep(LOOP_S)
    return (time.thread_time() - cpu_s) / (time.monotonic() - begun)


def main() -> None:
    n_files, n_folders = (int(text) for text in (*sys.argv[1:3], *("100000", "1")[len(sys.argv) - 1 :]))
    rest_s = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch, f"run_{i:04d}") for i in range(n_folders)]
        for folder in folders:
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
        if rest_s:
            print(f"  at rest for {rest_s:.0f} s: {100 * rest(watcher, rest_s):.1f} % of a core")
        for per_second in (2, 50):
            latencies, share = watch_arrivals(watcher, folders if rest_s else folders[-1:], per_second)
            print(f"  {per_second} new files a second: latency {statistics.median(latencies):.2f} s,", end=" ")
            print(f"longest {max(latencies):.2f} s; {100 * share:.1f} % of a core")


if __name__ == "__main__":
    main()
