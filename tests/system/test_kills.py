"""Commands that are killed at random moments; benchmarks/kills.py does it a thousand times."""

import kills
import pytest


@pytest.mark.slow
def test_forty_kills_lose_nothing_count_nothing_twice_and_leave_no_half_files(capsys):
    status = kills.main(["--kills", "40", "--seed", "3"])
    said = capsys.readouterr().out
    assert status == 0, said
    assert "40 kills" in said
    for target in kills.RUNS + kills.COMMANDS + kills.SERVERS:
        (line,) = [line for line in said.splitlines() if line.startswith(f"{target} ")]
        assert int(line.split()[1]) >= 2, said
