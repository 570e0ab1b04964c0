"""``iota.run``: process still images from the command line."""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import shlex
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from iota.atomic_files import write_atomically
from iota.cli.completion import complete, completion_script
from iota.cli.options import make_parser
from iota.cli.summary import print_summary, summary_text
from iota.cli.terminal import Terminal
from iota.engine.frame import questions
from iota.errors import InputError, IotaError, UsageError
from iota.inputs import Inputs, find_frames
from iota.inputs.crystfel.geometry import split_geometry
from iota.inputs.names.select import select_random, select_range
from iota.installation import predecessor_warning
from iota.params import Parameters, full_text, read, script_text, sort_arguments
from iota.processing import conversion
from iota.processing.conclusion import conclude_again
from iota.processing.from_parameters import check_can_watch
from iota.processing.run import Run
from iota.records import CAN_RETRY, FrameRef, Outcome
from iota.runs import RunFolder, read_state
from iota.runs.control import give_order
from iota.workers import dials, mpi, submit
from iota.workers.executors import check_workers, job_script_text


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
    parser = make_parser()
    complete(parser)
    options = parser.parse_intermixed_args(argv)
    if options.completion:
        print(completion_script(options.completion))
        return 0
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
    if not options.default:  # what it prints is a script
        terminal.logo()
    warning = predecessor_warning()
    if warning:
        terminal.warning(warning)
    if options.analyze is not None:
        return _analyze(options, terminal)
    if options.retry is not None and not options.resume:
        raise UsageError("--retry can only be used with --resume, e.g. --resume RUN --retry crashed.")
    if options.resume:
        return _execute_or_submit(_resumed(options, terminal), options, terminal)
    with terminal.step("Starting DIALS") if not options.default else contextlib.nullcontext():
        versions = {"DIALS": dials.ask(questions.dials_version)}
    scripts, assignments, paths = sort_arguments(options.arguments)
    parameters = read(
        scripts,
        assignments,
        is_backend_name=lambda name: dials.ask(questions.is_backend_name, name),
        nearest_backend_name=lambda name: dials.ask(questions.nearest_name, name),
    )
    parameters = _with_options(parameters, options, paths)
    # a wrong target must not leave a run folder behind
    target, parameters.remarks = dials.ask(questions.target_text, parameters)
    for remark in parameters.remarks:
        terminal.warning(remark)
    if options.default:
        return _write_defaults(parameters, target, terminal)
    if options.dry_run:
        return _show_jobs(parameters, terminal)
    check_workers(parameters.values.mp, _next_run_folder(parameters))
    run = _new_run(parameters, terminal, command_line, versions)
    return 0 if run is None else _execute_or_submit(run, options, terminal)


def _give_order(options: argparse.Namespace, terminal: Terminal) -> int:
    """Tell a run to stop or to finish; a job that has not started is removed from its queue."""
    folder = RunFolder.find(options.stop or options.finish)
    give_order(folder, "stop" if options.stop else "finish")
    job = submit.submitted_job(folder.path)
    if options.stop and job is not None and read_state(folder.state).status == "queued":
        submit.check_own(folder.script)
        submit.cancel(read([folder.script]).values.mp, job)
        terminal.note(f"Job {job.id} was removed from the queue.")
    elif options.stop:
        terminal.note(f"Run {folder.number} was told to stop; it can be resumed with --resume.")
    else:
        terminal.note(f"Run {folder.number} will end when all images that have arrived are processed.")
    return 0


def _analyze(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write lists, summary, clusters and charts of a run again."""
    _, assignments, paths = sort_arguments([*filter(None, [options.analyze]), *options.arguments])
    if len(paths) > 1:
        raise UsageError("--analyze takes one run: its number, or its folder.")
    given = next(iter(paths), "")
    folder = RunFolder.find(given) if given else RunFolder.open(_last_run(assignments))
    with terminal.step("Reading the run"):
        conclusion, lattices = conclude_again(folder, assignments)
    print_summary(terminal.console, conclusion, lattices, folder)
    return 0 if conclusion.summary.n_integrated else 1


def _last_run(assignments: Sequence[str]) -> Path:
    """Folder of the last run of this project."""
    output = Path(read([], assignments).values.output or ".")
    runs = [path for path in (output / "integration").glob("*") if path.name.isdigit()]
    if not runs:
        raise UsageError(f"There is no run in {output.absolute() / 'integration'}; specify one: --analyze FOLDER.")
    return max(runs, key=lambda path: int(path.name)).absolute()


def _next_run_folder(parameters: Parameters) -> Path:
    """The probable folder of the next run, before it is made."""
    return Path(parameters.values.output, "integration", "NNN")


def _show_jobs(parameters: Parameters, terminal: Terminal) -> int:
    text = job_script_text(parameters.values.mp, _next_run_folder(parameters))
    terminal.console.print(text, markup=False, highlight=False, soft_wrap=True)
    return 0


def _new_run(
    parameters: Parameters, terminal: Terminal, command_line: list[str], versions: dict[str, str]
) -> Run | None:
    """Prepare a run; None if images are only to be saved as pickles."""
    if not parameters.inputs:
        raise UsageError("No images were given. Give a folder, files, a wildcard or a list; see iota.run -h.")
    inputs = _found_inputs(parameters, terminal)
    if conversion.is_asked_for(parameters.values.image_import):
        parameters, inputs, is_all = _converted(parameters, inputs, terminal)
        if is_all:
            return None
    with terminal.step("Initializing run parameters"):
        folder = RunFolder.create(Path(parameters.values.output))
        try:
            n_told = len(parameters.remarks)
            run = Run.create(folder, parameters, inputs, command_line, versions)
        except UsageError:
            shutil.rmtree(folder.path, ignore_errors=True)  # nothing is in it that anybody wants
            raise
    for remark in parameters.remarks[n_told:]:
        terminal.note(remark)
    terminal.note(f"Run {folder.number}: {folder.path}")
    return run


def _converted(parameters: Parameters, inputs: Inputs, terminal: Terminal) -> tuple[Parameters, Inputs, bool]:
    """Save the images as pickles; returns the inputs for processing, and whether there are none."""
    if parameters.values.gui.monitor_mode:
        raise UsageError("Images cannot be converted to pickles in monitor mode; omit these import options.")
    with terminal.step("Converting images"):
        done = conversion.convert_frames(parameters, inputs.frames)
    for failure in done.failures:
        terminal.warning(failure)
    for remark in done.remarks:
        terminal.note(remark)
    parameters.remarks.extend([*done.failures, *done.remarks])
    terminal.note(f"{len(inputs.frames) - len(done.failures)} images were saved in {done.folder}")
    only = parameters.values.image_import.convert_only
    parameters = conversion.without_import_options(parameters, done.gain)
    parameters.values.input = [str(done.folder)]
    return parameters.replaced(), msgspec.structs.replace(inputs, frames=done.frames), only


def _found_inputs(parameters: Parameters, terminal: Terminal) -> Inputs:
    if parameters.values.gui.monitor_mode:
        check_can_watch(parameters.values)
        terminal.note("Monitor mode: waiting for images. Press Ctrl-C to stop; finished images are kept.")
        return Inputs([], [], [])
    with terminal.step("Interpreting input"):
        inputs = find_frames(parameters.inputs, geometry=parameters.values.image_import.crystfel_geometry)
    for problem in inputs.problems:
        terminal.warning(problem.text)
        parameters.remarks.append(problem.text)
    inputs = _selected(inputs, parameters)
    if not inputs.frames:
        raise InputError("No images were found in the input.")
    terminal.note(_found(inputs))
    return inputs


def _resumed(options: argparse.Namespace, terminal: Terminal) -> Run:
    if options.arguments:
        raise UsageError("--resume uses the images and parameters of the run; omit them.")
    retry = _outcomes_to_retry(options.retry)
    with terminal.step("Reading the run"):
        run = Run.resume(RunFolder.find(options.resume), watch=options.watch, retry=retry, tell=terminal.note)
    if not options.here and submit.is_asked_for(run.parameters.values.mp):
        submit.check_own(run.folder.script)
    if run.n_unreadable:
        lines = "1 damaged line" if run.n_unreadable == 1 else f"{run.n_unreadable} damaged lines"
        terminal.warning(f"{lines} in {run.folder.ledger}: the images without a record will be processed again.")
    again = f", {run.n_again} will be processed again" if retry else ""
    terminal.note(
        f"Run {run.folder.number}: {run.n_finished} of {len(run.frames)} frames are finished{again}; resuming."
    )
    return run


def _outcomes_to_retry(words: str | None) -> list[Outcome]:
    """Outcomes that are named in an option."""
    named = [] if words is None else [word.strip() for word in words.split(",") if word.strip()]
    found = [outcome for outcome in CAN_RETRY if outcome in named]
    if words is not None and (not found or len(found) != len(set(named))):
        raise UsageError(f"--retry {words}: it accepts {', '.join(CAN_RETRY)}, joined by commas.")
    return found


def _execute_or_submit(run: Run, options: argparse.Namespace, terminal: Terminal) -> int:
    if options.here or not submit.is_asked_for(run.parameters.values.mp):
        return _execute(run, terminal)
    job = run.submit()
    terminal.note(f"Submitted as job {job.id or 'without a number'}; its log is {job.log}.")
    return 0


def _execute(run: Run, terminal: Terminal) -> int:
    interrupted = False
    try:
        with terminal.processing(len(run.frames)) as display:
            run.execute(display)
    except KeyboardInterrupt:
        interrupted = True
    run.log(summary_text(run.conclusion, run.lattices, run.folder))
    print_summary(terminal.console, run.conclusion, run.lattices, run.folder)
    if interrupted:
        again = shlex.quote(str(run.folder.path))
        said = f"iota.run: interrupted; finished images are kept. To resume: iota.run --resume {again}"
        terminal.errors.print(said, soft_wrap=True)
        return 130
    return 0 if run.summary().n_integrated else 1


def _with_options(parameters: Parameters, options: argparse.Namespace, paths: Sequence[str]) -> Parameters:
    """Copy the command-line options into the parameters, with absolute paths, so that the script repeats them."""
    values = parameters.values
    importing = values.image_import
    inputs = [_absolute(path) for path in [*parameters.inputs, *paths]]
    given = _absolute(importing.crystfel_geometry) if importing.crystfel_geometry else None
    importing.crystfel_geometry, values.input = split_geometry(inputs, given)
    values.output = _absolute(values.output or ".")
    selection = values.data_selection
    if options.range:
        selection.image_range.flag_on, selection.image_range.range = True, options.range
    if options.random is not None:
        if options.random < 0:
            raise UsageError("--random must be 0 or more images.")
        selection.random_sample.flag_on, selection.random_sample.number = True, options.random
    for scope, name in ((importing, "mask"), (values.advanced, "reference_geometry")):
        if getattr(scope, name):
            setattr(scope, name, _absolute(getattr(scope, name)))
    if options.ha14:
        values.advanced.processing_backend = "ha14"
    if options.tmp:
        values.advanced.temporary_output_folder = options.tmp
    if values.advanced.temporary_output_folder:
        values.advanced.temporary_output_folder = _absolute(values.advanced.temporary_output_folder)
    prefix = values.advanced.prime_prefix
    if not prefix or "/" in prefix or prefix == "target":
        raise UsageError(f"advanced.prime_prefix={prefix} cannot be used as the name of the PRIME script.")
    _draw_seeds(values)
    if options.watch:
        values.gui.monitor_mode = True
    if options.nproc is not None:
        if options.nproc < 1:
            raise UsageError("-n must be 1 or more processes.")
        values.mp.n_processors = options.nproc
    return parameters.replaced()


def _draw_seeds(values: Any) -> None:
    """Fill in seeds that were not given, so that the script of the run repeats it."""
    for chosen in (values.data_selection.random_sample, values.cctbx_xfel.optimise):
        if chosen.flag_on and chosen.seed is None:
            chosen.seed = secrets.randbelow(10**6)


def _absolute(path: str) -> str:
    return os.path.abspath(Path(path).expanduser())  # noqa: PTH100 - symbolic links stay as they were typed


def _selected(inputs: Inputs, parameters: Parameters) -> Inputs:
    """Inputs reduced to the frames selected by range and random sample."""
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
            raise UsageError(f"{path} already exists; move it, or work in another folder.")
    write_atomically(target, target_phil)
    parameters.values.cctbx_xfel.target = str(target.absolute())
    write_atomically(script, script_text(parameters))
    terminal.console.print(full_text(parameters), markup=False, soft_wrap=True)
    terminal.console.print(f"# Written: {script} (this script), {target} (parameters of the backend).", soft_wrap=True)
    return 0


def _found(inputs: Inputs) -> str:
    n, n_sources = len(inputs.frames), len(inputs.sources)
    return f"{n} image{'' if n == 1 else 's'} in {n_sources} input{'' if n_sources == 1 else 's'}"
