"""``iota.doctor``: checks the installation, and says how to repair it."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Iterator, Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

import iota
from iota.cli.broken_pipe import ends_on_broken_pipe
from iota.cli.checks.check import Check, State
from iota.cli.checks.cluster_checks import cluster_checks
from iota.cli.checks.package_checks import package_check
from iota.engine.backend.inspection import Installation, inspect_installation
from iota.installation import predecessor_warning, program
from iota.requirements.locks import install_command

# Symbol and word beside the colour: for terminals without colour and people who do not see it.
_SHOWN: dict[State, tuple[str, str, str]] = {
    "good": ("✓", "ok", "green"),
    "note": ("!", "note", "yellow"),
    "absent": ("–", "none", "dim"),
    "bad": ("✗", "WRONG", "bold red"),
}


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="iota.doctor",
        description="Report what is installed on this machine (DIALS and its version, Python packages, compiled\n"
        "modules, HDF5 filters, batch systems, PRIME, viewers) and how to install what is missing.",
        epilog="exit status\n  0 images can be processed, 1 they cannot, 2 usage error\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"IOTA {iota.__version__}")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, for programs")
    return parser


@ends_on_broken_pipe
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0 if runs can work here, else 1."""
    options = make_parser().parse_args(argv)
    checks = list(all_checks(inspect_installation()))
    ready = all(check.state != "bad" for check in checks)
    if options.json:
        print(msgspec.json.format(msgspec.json.encode({"ready": ready, "checks": checks})).decode())
    else:
        _show(checks, ready)
    return 0 if ready else 1


def all_checks(installation: Installation) -> Iterator[Check]:
    """Yield every check, what runs need first."""
    yield Check("IOTA", "good", f"{iota.__version__}, Python {platform.python_version()} ({sys.executable})")
    yield _predecessor()
    yield package_check()
    if installation.error:
        yield Check("DIALS", "bad", installation.error, _SETUP)
    else:
        yield from (_dials(installation), _stills_process(installation), _compiled(installation))
        yield from (_numpy(installation), _h5py(installation), _filters(installation), _prime(installation))
    yield _cores()
    yield from cluster_checks()
    yield from (_viewer(installation.dials_version), _display())


_SETUP = "Run scripts/setup, which finds or installs DIALS; IOTA_PYTHON=/path/to/dials.python scripts/setup names one."


def _predecessor() -> Check:
    warning = predecessor_warning()
    if warning is None:
        return Check("the original IOTA", "good", "not installed in the same place")
    found, _, mend = warning.partition(" Remove it with: ")
    return Check("the original IOTA", "note", found, f"Remove it with: {mend}")


def _dials(installation: Installation) -> Check:
    for name in ("dials", "dxtbx", "cctbx"):
        error = installation.packages[name].error
        if error:
            return Check("DIALS", "bad", f"{name} cannot be imported: {error}", _SETUP)
    place = installation.packages["dials"].path
    if _version(installation.dials_version) < (3, 12):
        return Check(
            "DIALS", "note", f"{installation.dials_version} ({place})", "IOTA is tested with DIALS 3.12 to 3.30."
        )
    return Check("DIALS", "good", f"{installation.dials_version} ({place})")


def _stills_process(installation: Installation) -> Check:
    if installation.stills_process_error:
        return Check("dials.stills_process", "bad", installation.stills_process_error, _SETUP)
    return Check("dials.stills_process", "good", f"loads in {installation.stills_process_seconds:.1f} s")


def _compiled(installation: Installation) -> Check:
    """Report which compiled modules are missing, and which packages need them."""
    missing = list(installation.missing_compiled)
    if not installation.needs_mono_sim and "xfel_mono_sim_ext" in missing:
        missing.remove("xfel_mono_sim_ext")  # this DIALS does not ask for it
    if not missing:
        return Check("compiled modules", "good", "all that are needed")
    words = []
    if "xfel_mono_sim_ext" in missing:
        words.append(
            "xfel_mono_sim_ext: nothing to do, IOTA substitutes an empty module at run time (DIALS imports it for every"
            " candidate lattice but does not use it)."
        )
    if {"sx_clustering_ext", "sx_merging_ext"} & set(missing):
        words.append("sx_*: cctbx.xfel.merge does not run here.")
    if any(name.startswith("prime") for name in missing):
        words.append("prime_*: PRIME does not run here.")
    if words[1:] or not words[0].startswith("xfel"):
        words.append("They are part of DIALS from conda-forge, CCP4 or Phenix.")
    return Check("compiled modules", "note", f"missing: {', '.join(missing)}", " ".join(words))


def _numpy(installation: Installation) -> Check:
    package = installation.packages["numpy"]
    found = f"{package.version} ({package.path})"
    if package.error:
        return Check("numpy", "bad", package.error, _SETUP)
    hiding = [name for name in installation.in_venv if name != "h5py"]
    if hiding:
        broken = bool(installation.packages["dials"].error or installation.stills_process_error)
        return Check("numpy", "bad" if broken else "note", found, _uninstall(hiding))
    return Check("numpy", "good", found)


def _h5py(installation: Installation) -> Check:
    package = installation.packages["h5py"]
    if package.error:
        return Check("h5py", "bad", package.error, _SETUP)
    found = f"{package.version} ({package.path}), dxtbx {installation.packages['dxtbx'].version}"
    if "h5py" in installation.in_venv:
        return Check("h5py", "note", found, _uninstall(["h5py"]) + " NeXus files may not open until then.")
    return Check("h5py", "good", found)


def _uninstall(names: list[str]) -> str:
    which = " and ".join(names)
    return f"It hides the {which} with which DIALS was built: {sys.executable} -m pip uninstall {' '.join(names)}."


_OF_EIGER = ("bitshuffle", "LZ4", "Zstandard")


def _filters(installation: Installation) -> Check:
    """Report which kinds of compression can be read, and how to get the others."""
    read = [name for name, is_read in installation.filters.items() if is_read]
    missing = [name for name, is_read in installation.filters.items() if not is_read]
    plugin = installation.hdf5plugin
    origin = f"hdf5plugin {plugin.version}".rstrip() + (f" is {plugin.error}" if plugin.error else "")
    if not missing:
        return Check("HDF5 filters", "good", f"{', '.join(read)} ({origin})")
    found = f"missing: {', '.join(missing)}{'; read: ' + ', '.join(read) if read else ''} ({origin})"
    again = [] if plugin.error == "not installed" else ["--force-reinstall"]
    most = any(name.startswith(_OF_EIGER) for name in missing)
    files = "most files from Eiger and Jungfrau detectors" if most else "only files compressed this way"
    return Check("HDF5 filters", "note", found, f"{install_command(['filters'], *again)}; {files} need it.")


def _prime(installation: Installation) -> Check:
    if not installation.has_prime:
        return Check("PRIME", "absent", "not part of this DIALS", "Merge with cctbx.xfel.merge or xia2.ssx instead.")
    if "prime_ext" in installation.missing_compiled:
        mend = "Its compiled module prime_ext is missing: use the prime.phil of a run with a complete PRIME."
        return Check("PRIME", "note", "installed, but cannot merge", mend)
    return Check("PRIME", "good", "installed")


def _cores() -> Check:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Check("cores", "good", f"{cores}; a run uses {max(1, cores * 3 // 4)} of them unless -n is given")


def _viewer(dials_version: str) -> Check:
    path = program("dials.image_viewer")
    if path is None:
        return Check("image viewer", "absent", "no dials.image_viewer", "Only needed for viewing images.")
    try:
        wx = importlib.metadata.version("wxPython")
    except importlib.metadata.PackageNotFoundError:
        return Check("image viewer", "note", path, "It needs wxPython, which is not installed.")
    if _version(wx) >= (4, 2) and (0,) < _version(dials_version) < (3, 13):
        mend = "With wxPython 4.2 it crashes when it draws reflections; iota.image_viewer corrects this."
        return Check("image viewer", "note", path, mend)
    return Check("image viewer", "good", path)


def _display() -> Check:
    for name in ("WAYLAND_DISPLAY", "DISPLAY"):
        if os.environ.get(name):
            return Check("display", "good", f"{name}={os.environ[name]}")
    if sys.platform == "darwin":
        return Check("display", "good", "that of macOS")
    return Check(
        "display", "absent", "neither DISPLAY nor WAYLAND_DISPLAY is set", "Only needed for the image viewer: ssh -X."
    )


def _version(text: str) -> tuple[int, ...]:
    match = re.search(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0,)


def _show(checks: Sequence[Check], ready: bool) -> None:
    console = Console(highlight=False)
    plain = not (console.encoding or "").lower().startswith("utf")
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for check in checks:
        symbol, word, style = _SHOWN[check.state]
        text = Text(check.found, overflow="fold")  # commands are to be copied whole
        if check.mend:
            text.append(f"\n{check.mend}", style="italic")
        table.add_row(Text(word if plain else f"{symbol} {word}", style=style), Text(check.name, style="bold"), text)
    console.print(table)
    console.print()
    if ready:
        console.print(Text("IOTA can process images here.", style="bold"))
    else:
        console.print(
            Text("IOTA cannot process images here until the problems marked WRONG are fixed.", style="bold red")
        )


if __name__ == "__main__":
    sys.exit(main())
