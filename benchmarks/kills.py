"""Whether kill -9 at random moments loses frames, counts some twice, or leaves files that look whole and are not.

    .venv/bin/python benchmarks/kills.py [--kills N] [--seed S] [--targets coordinator,group,...]

Real commands on small simulated frames (0.3 megapixel): runs whose coordinator, process group or worker is killed and
that are resumed until they are finished, iota.export, iota.merge and iota.report that are killed, the server, and a
helper process that opens images for it.  Prints a table by target; the exit status is 1 if anything was lost, counted
twice or left half.  Nothing else needs to be running on the machine, but a busy one spreads the moments better.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import killed_commands
import killed_runs
import killed_server
from killing import Bench, command

RUNS, COMMANDS, SERVERS = ("coordinator", "group", "worker"), ("export", "merge", "report"), ("server", "helper")
# out of 20 kills
_SHARES = {"coordinator": 5, "group": 4, "worker": 3, "export": 3, "merge": 1, "report": 1, "server": 1, "helper": 2}
_FRAMES = 24
_LYSOZYME = ("target_unit_cell=79.2 79.2 38.1 90 90 90", "target_space_group=P43212")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Kill commands of IOTA at random moments and count what is lost.")
    parser.add_argument("--kills", type=int, default=60, metavar="N", help="how many in all (default: 60)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="same seed, same moments (default: 1)")
    parser.add_argument("--targets", default=",".join(_SHARES), help="which are killed (default: all)")
    options = parser.parse_args(argv)
    targets = options.targets.split(",")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="iota_kills_") as name:
        bench = Bench(Path(name), random.Random(options.seed))
        wanted = _wanted(options.kills, targets)
        simulate = ("images", "-n", _FRAMES, "--seed", 5, "--detector", "300k", "--multi-fraction", 0.1, "--silent")
        command("iota.simulate", simulate, bench.folder)
        for target in targets:
            if target in RUNS:
                killed_runs.kill(bench, target, wanted[target], _LYSOZYME)
            else:
                of_kind = killed_commands if target in COMMANDS else killed_server
                of_kind.kill(bench, target, wanted[target], killed_runs.undisturbed(bench, _LYSOZYME))
            print(f"{target}: {bench.kills[target]} kills after {time.monotonic() - began:.0f} s", flush=True)
        for sentence in bench.sentences:
            print(sentence)
        print(bench.table(targets))
        print(f"{sum(bench.kills.values())} kills, seed {options.seed}, {time.monotonic() - began:.0f} s")
        return 0 if bench.is_clean else 1


def _wanted(n_kills: int, targets: Sequence[str]) -> Counter[str]:
    """Kills of each target, in about the shares above."""
    total = sum(_SHARES[target] for target in targets)
    wanted = Counter({target: n_kills * _SHARES[target] // total for target in targets})
    for target in targets[: n_kills - wanted.total()]:
        wanted[target] += 1
    return wanted


if __name__ == "__main__":
    sys.exit(main())
