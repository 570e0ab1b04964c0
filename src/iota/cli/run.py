"""``iota.run``: process still images from the command line."""

from __future__ import annotations

import argparse
import os
import secrets
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import iota
from iota.cli.summary import print_summary, summary_text
from iota.cli.terminal import Terminal
from iota.errors import InputError, IotaError, UsageError
from iota.inputs import Inputs, find_frames
from iota.inputs.select import select_random, select_range
from iota.installation import predecessor_warning
from iota.params import Parameters, full_text, is_assignment, read, script_text
from iota.records import FrameRef
from iota.runs import RunFolder, read_state
from iota.runs.control import give_order
from iota.workers import mpi
from iota.workers.submit import cancel, submitted_job

if TYPE_CHECKING:
    from iota.workers.run import Run  # imports DIALS

_DESCRIPTION = """\
Process serial crystallography stills with DIALS: find the images, throw away blanks, index and integrate the rest on
all cores, and summarise the result.

  iota.run /path/to/images/                       everything with defaults, nothing known about the crystal
  iota.run images.lst -n 8                        images named in a list, on 8 cores
  iota.run script.param                           with the parameters of a script
  iota.run images/ cctbx_xfel.target_unit_cell="79.2 79.2 38.1 90 90 90" cctbx_xfel.target_space_group=P43212
  iota.run 'images/*_00?.cbf' --range 1-5,25      some of them
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="iota.run",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit status: 0 done, 1 nothing was integrated, 2 wrong use or input, 130 interrupted.",
    )
    parser.add_argument(
        "arguments",
        nargs="*",
        metavar="PATH | SCRIPT | name=value",
        help="images, folders, wildcards, lists, multi-image masters; scripts (.param, .phil); parameters of IOTA or"
        " of the backend (dials.stills_process)",
    )
    parser.add_argument("--version", action="version", version=f"IOTA {iota.__version__}")
    parser.add_argument(
        "-d", "--default", action="store_true", help="write iota.param and target.phil, print them, stop"
    )
    parser.add_argument("--random", type=int, metavar="N", help="process a random subset of N images")
    parser.add_argument("--range", metavar="RANGE", help="process a range of images, e.g. 1-5,25,200-250")
    parser.add_argument("-n", "--nproc", type=int, metavar="N", help="number of processes (default 3/4 of the cores)")
    parser.add_argument("--watch", action="store_true", help="monitor mode: process new images as they arrive")
    parser.add_argument("--finish", metavar="RUN", help="end monitor mode of a run once all its images are processed")
    parser.add_argument("--stop", metavar="RUN", help="end a run, from any machine that sees its folder")
    parser.add_argument(
        "--resume", metavar="RUN", help="go on with a run that was stopped or killed: its folder or number"
    )
    parser.add_argument(
        "--here", action="store_true", help="process on this machine whatever mp.submit_command says, as its job does"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show the job scripts or commands that would be submitted, and stop"
    )
    parser.add_argument("--silent", action="store_true", help="print nothing but errors")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status.  A process that MPI started beside the first one only serves it."""
    if mpi.is_serving_rank():
        return mpi.serve()
    status = 2
    try:
        status = _main(argv)
        return status
    finally:
        mpi.release(status)


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_intermixed_args(argv)
    terminal = Terminal(silent=options.silent)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what a batch system sends ends a run like Ctrl-C
    try:
        return _run(options, terminal, ["iota.run", *(sys.argv[1:] if argv is None else argv)])
    except IotaError as error:
        terminal.errors.print(f"iota.run: {error}", markup=False, soft_wrap=True)
        return error.exit_status
    except KeyboardInterrupt:
        terminal.errors.print("iota.run: stopped before processing began.")
        return 130


def _run(options: argparse.Namespace, terminal: Terminal, command_line: list[str]) -> int:
    if options.stop or options.finish:
        return _give_order(options, terminal)
    terminal.logo()
    warning = predecessor_warning()
    if warning:
        terminal.warning(warning)
    with terminal.step("Starting DIALS"):
        from iota.engine import backend  # takes seconds: after the logo, and never for --help
        from iota.workers.executors import check_workers
    if options.resume:
        return _execute_or_submit(_resumed(options, terminal), options, terminal)
    scripts, assignments, paths = _sort_arguments(options.arguments)
    parameters = _with_options(read(scripts, assignments, is_backend_name=backend.is_backend_name), options, paths)
    target = backend.target_text(parameters)  # a wrong target must not leave a run folder behind
    if options.default:
        return _write_defaults(parameters, target, terminal)
    if options.dry_run:
        return _show_jobs(parameters, terminal)
    check_workers(parameters.values.mp, _next_run_folder(parameters))
    run = _new_run(parameters, terminal, command_line)
    return _execute_or_submit(run, options, terminal)


def _give_order(options: argparse.Namespace, terminal: Terminal) -> int:
    """Tell a run to stop or to finish; a job that has not begun is taken out of its queue."""
    folder = RunFolder.open(_run_path(options.stop or options.finish))
    give_order(folder, "stop" if options.stop else "finish")
    job = submitted_job(folder.path)
    if options.stop and job is not None and read_state(folder.state).status == "queued":
        cancel(read([folder.script]).values.mp, job)
        terminal.note(f"Job {job.id} is taken out of its queue.")
    return 0


def _next_run_folder(parameters: Parameters) -> Path:
    """What the folder of the next run may be called, before there is one."""
    return Path(parameters.values.output, "integration", "NNN")


def _show_jobs(parameters: Parameters, terminal: Terminal) -> int:
    from iota.workers.executors import job_script_text

    text = job_script_text(parameters.values.mp, _next_run_folder(parameters))
    terminal.console.print(text, markup=False, highlight=False, soft_wrap=True)
    return 0


def _new_run(parameters: Parameters, terminal: Terminal, command_line: list[str]) -> Run:
    if not parameters.inputs:
        raise UsageError("No images were given. Name a folder, files, a wildcard or a list, or see iota.run -h.")
    inputs = _found_inputs(parameters, terminal)
    with terminal.step("Initializing run parameters"):
        from iota.engine.installation import dials_version
        from iota.workers.run import Run

        folder = RunFolder.create(Path(parameters.values.output))
        run = Run.create(folder, parameters, inputs, command_line, {"DIALS": dials_version()})
    terminal.note(f"Run {folder.number}: {folder.path}")
    return run


def _found_inputs(parameters: Parameters, terminal: Terminal) -> Inputs:
    if parameters.values.gui.monitor_mode:
        selection = parameters.values.data_selection
        if selection.image_range.flag_on or selection.random_sample.flag_on:
            raise UsageError("Monitor mode takes every image that arrives; leave range and random sample out.")
        terminal.note("Monitor mode: waiting for images. Ctrl-C ends it; what is finished is kept.")
        return Inputs([], [], [])
    with terminal.step("Interpreting input"):
        inputs = find_frames(parameters.inputs)
    for problem in inputs.problems:
        terminal.warning(problem.text)
    inputs = _selected(inputs, parameters)
    if not inputs.frames:
        raise InputError("There is no image in what was given, so there is nothing to process.")
    terminal.note(_found(inputs))
    return inputs


def _resumed(options: argparse.Namespace, terminal: Terminal) -> Run:
    if options.arguments:
        raise UsageError("--resume goes on with what the run was started with; leave images and parameters out.")
    with terminal.step("Reading the run"):
        from iota.workers.run import Run

        run = Run.resume(RunFolder.open(_run_path(options.resume)))
    terminal.note(f"Run {run.folder.number}: {run.n_finished} of {len(run.frames)} frames are finished; going on.")
    return run


def _run_path(text: str) -> Path:
    """Folder of a run that is given by its number in this project, or by its folder."""
    return (Path("integration", f"{int(text):03d}") if text.isdigit() else Path(text)).absolute()


def _execute_or_submit(run: Run, options: argparse.Namespace, terminal: Terminal) -> int:
    from iota.workers import submit

    if options.here or not submit.is_asked_for(run.parameters.values.mp):
        return _execute(run, terminal)
    job = run.submit()
    terminal.note(f"Submitted as job {job.id or 'without a number'}; its own log goes to {job.log}.")
    return 0


def _execute(run: Run, terminal: Terminal) -> int:
    interrupted = False
    try:
        with terminal.processing(len(run.frames)) as display:
            run.execute(display)
    except KeyboardInterrupt:
        interrupted = True
    summary = run.summary()
    run.log(summary_text(summary, run.lattices, run.folder))
    print_summary(terminal.console, summary, run.lattices, run.folder)
    if interrupted:
        again = shlex.quote(str(run.folder.path))
        terminal.errors.print(f"iota.run: stopped; what was finished is kept. To go on: iota.run --resume {again}")
        return 130
    return 0 if summary.n_integrated else 1


def _sort_arguments(arguments: Sequence[str]) -> tuple[list[Path], list[str], list[str]]:
    """Scripts, assignments and paths among the arguments, each in order."""
    scripts: list[Path] = []
    assignments: list[str] = []
    paths: list[str] = []
    for argument in arguments:
        if is_assignment(argument):
            assignments.append(argument)
        elif Path(argument).suffix in (".param", ".phil"):
            scripts.append(Path(argument))
        else:
            paths.append(argument)
    return scripts, assignments, paths


def _with_options(parameters: Parameters, options: argparse.Namespace, paths: Sequence[str]) -> Parameters:
    """Take the command-line options over into the parameters, with absolute paths: their script repeats them."""
    values = parameters.values
    values.input = [_absolute(path) for path in [*parameters.inputs, *paths]]
    values.output = _absolute(values.output or ".")
    selection = values.data_selection
    if options.range:
        selection.image_range.flag_on, selection.image_range.range = True, options.range
    if options.random is not None:
        if options.random < 0:
            raise UsageError("--random needs a number of images, 0 or more.")
        selection.random_sample.flag_on, selection.random_sample.number = True, options.random
    if selection.random_sample.flag_on and selection.random_sample.seed is None:
        selection.random_sample.seed = secrets.randbelow(10**6)
    if options.watch:
        values.gui.monitor_mode = True
    if options.nproc is not None:
        if options.nproc < 1:
            raise UsageError("-n needs a number of processes, 1 or more.")
        values.mp.n_processors = options.nproc
    return parameters.replaced()


def _absolute(path: str) -> str:
    return os.path.abspath(Path(path).expanduser())  # noqa: PTH100 - symbolic links stay as they were typed


def _selected(inputs: Inputs, parameters: Parameters) -> Inputs:
    """Inputs with the frames that range and random sample leave."""
    selection = parameters.values.data_selection
    frames: Sequence[FrameRef] = inputs.frames
    if selection.image_range.flag_on and selection.image_range.range:
        frames = select_range(frames, selection.image_range.range)
    if selection.random_sample.flag_on:
        frames = select_random(frames, selection.random_sample.number, selection.random_sample.seed)
    return msgspec.structs.replace(inputs, frames=list(frames))


def _write_defaults(parameters: Parameters, target_phil: str, terminal: Terminal) -> int:
    """Write the script and the target file, and print the script with its help."""
    script, target = Path("iota.param"), Path("target.phil")
    for path in (script, target):
        if path.exists():
            raise UsageError(f"{path} exists already; move it away, or work in another folder.")
    target.write_text(target_phil, encoding="utf-8")
    parameters.values.cctbx_xfel.target = str(target.absolute())
    script.write_text(script_text(parameters), encoding="utf-8")
    terminal.console.print(full_text(parameters), markup=False)
    terminal.note(f"Written: {script} (IOTA), {target} (backend).")
    return 0


def _found(inputs: Inputs) -> str:
    n, n_sources = len(inputs.frames), len(inputs.sources)
    return f"{n} image{'' if n == 1 else 's'} in {n_sources} input{'' if n_sources == 1 else 's'}"


if __name__ == "__main__":
    sys.exit(main())
