"""The options of ``iota.run``, grouped by task as ``-h`` shows them."""

from __future__ import annotations

import argparse

import iota

_DESCRIPTION = """\
Process serial crystallography stills with DIALS: find the images, throw away blanks, index and integrate the rest on
all cores, and summarise the result in a new folder, integration/NNN.
"""

_EXAMPLES = """\
parameters
  name=value on the command line is any parameter of a script in "compressed" form, of IOTA or of the backend:
      cctbx_xfel { target_space_group = P422 }   is   cctbx_xfel.target_space_group=P422
  Names may be cut at the front where what is left is unambiguous. Later ones win: scripts in order, then name=value,
  then options. iota.run -d prints all parameters of IOTA with their help, dials.stills_process -c -e 3 those of the
  backend.

examples
  Nothing known about the crystal:
      iota.run /path/to/images/
  Images named in a list, on 8 cores:
      iota.run input_images.lst -n 8
  XFEL data in CXI or HDF5 files, with a CrystFEL geometry:
      iota.run detector.geom files.lst
  The crystal is known:
      iota.run images/ cctbx_xfel.target_unit_cell="79.2 79.2 38.1 90 90 90" cctbx_xfel.target_space_group=P43212
  Parameters of the backend from a file of your own:
      iota.run images/ cctbx_xfel.target=user_params.phil
  With a script, and with some of it changed:
      iota.run script.param
      iota.run script.param data_selection.image_range.flag_on=True data_selection.image_range.range=1-100
  Some of the images (quoted, the wildcard is IOTA's and not the shell's):
      iota.run 'images/*_00?.cbf' --range 1-5,25
      iota.run images/ --random 50
  What failed in run 1 once more, with settings searched for each image:
      iota.run integration/001/not_integrated.lst --ha14
  While images are collected, until none came for ten minutes:
      iota.run /data/visit --watch gui.monitor_mode_timeout=True gui.monitor_mode_timeout_length=600
  Lists, summary and clusters of run 3 again, without processing:
      iota.run --analyze 3 analysis.clustering.flag_on=True

exit status
  0 done, 1 nothing was integrated, 2 wrong use or input, 130 interrupted
"""


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="iota.run",
        usage="iota.run [options] PATH ... | SCRIPT ... [name=value ...]",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EXAMPLES,
        add_help=False,
    )
    what = parser.add_argument_group("what is processed")
    what.add_argument(
        "arguments",
        nargs="*",
        metavar="PATH | SCRIPT | name=value",
        help="images, folders, wildcards, lists, multi-image masters; a CrystFEL geometry (.geom) describing HDF5 and"
        " CXI files; scripts (.param, .phil); parameters of IOTA or of the backend (dials.stills_process)",
    )
    what.add_argument("--random", type=int, metavar="N", help="process a random subset of N images")
    what.add_argument("--range", metavar="RANGE", help="process a range of images, e.g. 1-5,25,200-250, from 1 on")

    how = parser.add_argument_group("how it is processed")
    how.add_argument("-n", "--nproc", type=int, metavar="N", help="number of processes (default 3/4 of the cores)")
    how.add_argument(
        "--ha14",
        action="store_true",
        help="search the best spot-finding settings for each image, as the HA14 backend did; slow, for weak images",
    )
    how.add_argument("--tmp", metavar="DIR", help="folder for temporary files, best on a fast local disk")
    how.add_argument("--silent", action="store_true", help="print nothing but errors; warnings go to iota.log")
    how.add_argument(
        "--here", action="store_true", help="process on this machine whatever mp.submit_command says, as its job does"
    )
    how.add_argument(
        "--dry-run", action="store_true", help="show the job scripts or commands that would be submitted, and stop"
    )

    runs = parser.add_argument_group("runs that go on, and earlier ones (RUN is a number or a folder)")
    runs.add_argument("--watch", action="store_true", help="monitor mode: process new images as they arrive")
    runs.add_argument("--finish", metavar="RUN", help="end monitor mode of a run once all its images are processed")
    runs.add_argument("--stop", metavar="RUN", help="end a run, from any machine that sees its folder")
    runs.add_argument(
        "--resume",
        metavar="RUN",
        help="go on with a run that was stopped or killed; with --watch also look for new images from now on",
    )
    runs.add_argument(
        "--analyze",
        nargs="?",
        const="",
        metavar="RUN",
        help="make lists, summary, clusters and charts of a run again, the last one if none is named; no image is read",
    )

    about = parser.add_argument_group("about")
    about.add_argument("-h", "--help", action="help", help="show this and stop")
    about.add_argument(
        "--version", action="version", version=f"IOTA {iota.__version__}", help="show the version and stop"
    )
    about.add_argument(
        "-d",
        "--default",
        action="store_true",
        help="write iota.param and target.phil, print the script with help, stop",
    )
    about.add_argument(
        "--completion",
        choices=("bash", "zsh", "fish"),
        help="print what completes options and parameter names in this shell, for its start-up file, and stop",
    )
    return parser
