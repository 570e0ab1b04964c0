"""``scripts/lock``."""

from __future__ import annotations

import argparse
import sys

from locking import asked, check, licences, make


def main() -> int:
    """Write or check; returns the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/lock", description=make.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where locks are not as asked for")
    parser.add_argument("--upgrade", action="store_true", help="take the newest of everything")
    parser.add_argument("--upgrade-only", metavar="PACKAGE", action="append", default=[], help="the newest of one")
    options = parser.parse_args()
    wanted = asked.read()
    if not options.check:
        newer = ["--upgrade"] if options.upgrade else []
        make.make(wanted, newer + [word for name in options.upgrade_only for word in ("--upgrade-package", name)])
        licences.write({kind: target.python for kind, target in wanted.targets.items()})
    found = list(check.problems(wanted))
    print(*found, sep="\n") if found else print("The locks have all that is asked for, with hashes, and nothing else.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
