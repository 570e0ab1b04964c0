"""A stand-in for LSF, PBS, Torque and HTCondor on one machine: it writes down how it is called, and runs the jobs.

Linked as ``bsub``, ``bjobs``, ``bkill`` and so on in a folder on the PATH.  Everything lies in the folder
``$STAND_IN_QUEUE``: ``calls.jsonl`` has a line for each call (program, arguments, script), and ``7.pid`` the
process number of job 7.  Jobs run at once unless there is a file ``full``: then they wait, and nothing begins them.
"""

import fcntl
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

PLACE = Path(os.environ["STAND_IN_QUEUE"])


def submit(script):
    """Start a job; returns its number."""
    with (PLACE / "calls.jsonl").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        number = 1 + sum(bool(json.loads(line)[2]) for line in file)
        file.write(json.dumps([PROGRAM, ARGUMENTS, script]) + "\n")
    own = PLACE / f"{number}.sh"  # the submitter's goes away at once
    own.write_text(script)
    words = ["/bin/sh", *arguments_of_condor(script)] if PROGRAM == "condor_submit" else ["bash", own]
    process = 0
    if not (PLACE / "full").exists():
        with (PLACE / f"{number}.log").open("w") as log:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            ).pid
    (PLACE / f"{number}.pid").write_text(str(process))
    return number


def jobs():
    """Numbers of the jobs that wait or run."""
    found = []
    for path in PLACE.glob("*.pid"):
        process = int(path.read_text())
        if process == 0 or Path(f"/proc/{process}").exists():
            found.append(int(path.stem))
    return sorted(found)


def cancel(numbers):
    for number in numbers:
        path = PLACE / f"{number}.pid"
        if not path.exists():
            sys.exit(f"Job <{number}>: No matching job found")
        process = int(path.read_text())
        path.unlink()
        if process:
            try:
                os.killpg(process, signal.SIGTERM)
                time.sleep(1.0)
                os.killpg(process, signal.SIGKILL)
            except ProcessLookupError:
                pass


def arguments_of_condor(text):
    """Words of a submit file's ``Arguments = "..."``, in HTCondor's own quotes."""
    quoted = re.search(r'^Arguments = "(.*)"$', text, re.MULTILINE)[1].replace('""', '"')
    return shlex.split(quoted.replace("''", "'\"'\"'"))


def main():
    if PROGRAM == "bsub":
        print(f"Job <{submit(sys.stdin.read())}> is submitted to queue <mx>.")
    elif PROGRAM == "qsub":
        print(f"{submit(Path(ARGUMENTS[-1]).read_text())}.server")
    elif PROGRAM == "condor_submit":
        number = submit(Path(ARGUMENTS[-1]).read_text())
        print(f"Submitting job(s).\n1 job(s) submitted to cluster {number}.")
    elif PROGRAM in ("bkill", "qdel", "condor_rm"):
        record()
        cancel(int(word.split(".")[0]) for word in ARGUMENTS)
    elif PROGRAM == "bjobs":
        record()
        print("JOBID   USER    STAT  QUEUE  FROM_HOST  EXEC_HOST  JOB_NAME  SUBMIT_TIME")
        for number in jobs():
            print(f"{number}  me  PEND  mx  here  -  iota  Nov 25 09:00")
    elif PROGRAM == "qstat":
        record()
        print("\nserver:\n                                        Req'd  Req'd   Elap")
        print("Job ID  Username  Queue  Jobname  SessID  NDS  TSK  Memory  Time  S  Time\n------- -------- -----")
        for number in jobs():
            print(f"{number}.server  me  mx  iota  --  1  1  4gb  00:30  Q  --")
    elif PROGRAM == "condor_q":
        record()
        print(*jobs(), sep="\n")


def record():
    with (PLACE / "calls.jsonl").open("a") as file:
        file.write(json.dumps([PROGRAM, ARGUMENTS, ""]) + "\n")


PROGRAM, ARGUMENTS = Path(sys.argv[0]).name, sys.argv[1:]
if __name__ == "__main__":
    main()
