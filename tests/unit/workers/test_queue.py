"""What batch systems say of the jobs they have."""

import os
import pwd

import pytest

from iota.errors import BackendError
from iota.workers.queue import numbers_in_queue

BJOBS = """JOBID   USER    STAT  QUEUE      FROM_HOST   EXEC_HOST   JOB_NAME   SUBMIT_TIME
123     me      RUN   mx         hostA       hostD       iota       Oct 22 13:00
124     me      PEND  mx         hostA                   iota       Oct 22 13:03
"""
QSTAT_PBS = """
server:
                                                            Req'd  Req'd   Elap
Job ID          Username Queue    Jobname    SessID NDS TSK Memory Time  S Time
--------------- -------- -------- ---------- ------ --- --- ------ ----- - -----
123.server      me       mx       iota         4711   1   1    4gb 00:30 R 00:01
124.server      me       mx       iota          --    1   1    4gb 00:30 Q   --
125.server      me       mx       iota         4712   1   1    4gb 00:30 C   --
126.server      me       mx       iota         4712   1   1    4gb 00:30 F   --
"""
QSTAT_SGE = """job-ID  prior   name       user         state submit/start at     queue              slots
-----------------------------------------------------------------------------------------------------
    123 0.55500 iota       me           r     11/25/2026 09:00:00 main.q@node            1
    124 0.00000 iota       me           hqw   11/25/2026 09:00:00                        1
"""


@pytest.fixture
def answer(tmp_path, monkeypatch):
    """Makes a program that writes its arguments into a file and prints a text."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def make(program, printed, status=0, stderr=""):
        (tmp_path / "out").write_text(printed)
        (tmp_path / "err").write_text(stderr)
        (tmp_path / program).write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/words\ncat {tmp_path}/out\ncat {tmp_path}/err >&2\n'
            f"exit {status}\n"
        )
        (tmp_path / program).chmod(0o755)
        return tmp_path / "words"

    return make


@pytest.mark.parametrize(
    ("system", "program", "printed"),
    [
        ("slurm", "squeue", "123\n124\n"),
        ("lsf", "bjobs", BJOBS),
        ("pbs", "qstat", QSTAT_PBS),
        ("torq", "qstat", QSTAT_PBS),
        ("sge", "qstat", QSTAT_SGE),
        ("htcondor", "condor_q", "123\n124\n"),
    ],
)
def test_numbers_are_read_from_what_each_system_prints(system, program, printed, answer):
    words = answer(program, printed)
    assert numbers_in_queue(system) == {"123", "124"}
    if program == "qstat":
        assert words.read_text().split() == ["-u", pwd.getpwuid(os.getuid()).pw_name]
    answer(program, "")
    assert numbers_in_queue(system) == set()


def test_lsf_has_a_way_of_its_own_to_say_that_there_is_nothing(answer):
    answer("bjobs", "", 255, "No unfinished job found\n")
    assert numbers_in_queue("lsf") == set()


def test_a_system_that_does_not_answer_says_nothing_about_jobs(answer, tmp_path, monkeypatch):
    answer("squeue", "", 1, "slurm_load_jobs error: Unable to contact slurm controller\n")
    with pytest.raises(BackendError, match="Unable to contact slurm controller"):
        numbers_in_queue("slurm")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(BackendError, match="condor_q cannot be queried"):
        numbers_in_queue("htcondor")
