"""The options of ``iota.run``, grouped by task."""

from __future__ import annotations

import argparse

import iota
from iota.records import CAN_RETRY

_DESCRIPTION = """\
Process serial crystallography stills with DIALS: find the images, discard blanks, index and integrate the hits in
parallel, and write the results and their summary to a new folder, integration/NNN.
"""

_EXAMPLES = """\
parameters
  Any parameter of a script, of IOTA or of the backend, can be given on the command line as name=value:
      cctbx_xfel { target_space_group = P422 }   is   cctbx_xfel.target_space_group=P422
  Leading parts of a name can be omitted if the rest is unambiguous. Later values take precedence: scripts in order,
  then name=value, then options. iota.run -d prints all parameters of IOTA with their help, dials.stills_process -c -e 3
  those of the backend.

examples
  Unknown crystal:
      iota.run /path/to/images/
  Images named in a list, on 8 cores:
      iota.run input_images.lst -n 8
  XFEL data in CXI or HDF5 files, with a CrystFEL geometry:
      iota.run detector.geom files.lst
  Known unit cell and space group:
      iota.run images/ cctbx_xfel.target_unit_cell="79.2 79.2 38.1 90 90 90" cctbx_xfel.target_space_group=P43212
  Parameters of the backend from a file:
      iota.run images/ cctbx_xfel.target=user_params.phil
  With a script, and with some of its parameters changed:
      iota.run script.param
      iota.run script.param data_selection.image_range.flag_on=True data_selection.image_range.range=1-100
  Some of the images (quoted, so that the wildcard is expanded by IOTA and not by the shell):
      iota.run 'images/*_00?.cbf' --range 1-5,25
      iota.run images/ --random 50
  Reprocess the images that failed in run 1, with a search for the best spot-finding settings for each image:
      iota.run integration/001/not_integrated.lst --ha14
  Reprocess the images of run 3 that crashed or timed out:
      iota.run --resume 3 --retry crashed,timed_out
  During data collection, until no new images have arrived for ten minutes:
      iota.run /data/visit --watch gui.monitor_mode_timeout=True gui.monitor_mode_timeout_length=600
  Repeat the summary, lists and clustering of run 3, without processing:
      iota.run --analyze 3 analysis.clustering.flag_on=True

exit status
  0 done, 1 nothing was integrated, 2 usage or input error, 130 interrupted
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
    what = parser.add_argument_group("input")
    what.add_argument(
        "arguments",
        nargs="*",
        metavar="PATH | SCRIPT | name=value",
        help="images, folders, wildcards, lists, multi-image masters; a CrystFEL geometry (.geom) describing HDF5 and"
        " CXI files; scripts (.param, .phil); parameters of IOTA or of the backend (dials.stills_process)",
    )
    what.add_argument("--random", type=int, metavar="N", help="process a random subset of N images")
    what.add_argument("--range", metavar="RANGE", help="process a range of images, e.g. 1-5,25,200-250, counted from 1")

    how = parser.add_argument_group("processing")
    how.add_argument("-n", "--nproc", type=int, metavar="N", help="number of processes (default 3/4 of the cores)")
    how.add_argument(
        "--ha14",
        action="store_true",
        help="search for the best spot-finding settings for each image, as the HA14 backend did; slow, for weak images",
    )
    how.add_argument("--tmp", metavar="DIR", help="folder for temporary files, preferably on a fast local disk")
    how.add_argument("--silent", action="store_true", help="print nothing but errors; warnings go to iota.log")
    how.add_argument(
        "--here", action="store_true", help="process on this machine and ignore mp.submit_command, as its job does"
    )
    how.add_argument(
        "--dry-run", action="store_true", help="print the job scripts or commands that would be submitted, and exit"
    )

    runs = parser.add_argument_group("current and earlier runs (RUN is a number or a folder)")
    runs.add_argument("--watch", action="store_true", help="monitor mode: process new images as they arrive")
    runs.add_argument("--finish", metavar="RUN", help="end monitor mode of a run once all its images are processed")
    runs.add_argument("--stop", metavar="RUN", help="stop a run, from any machine with access to its folder")
    runs.add_argument(
        "--resume",
        metavar="RUN",
        help="resume a run that was stopped or killed; with --watch also look for new images from now on",
    )
    runs.add_argument(
        "--retry",
        metavar="OUTCOMES",
        help="with --resume, also for a finished run: process the images with these outcomes again (comma-separated"
        f" list of {', '.join(CAN_RETRY)})",
    )
    runs.add_argument(
        "--analyze",
        nargs="?",
        const="",
        metavar="RUN",
        help="repeat summary, lists, clustering and charts of a run (default: the last one) without reading images",
    )

    about = parser.add_argument_group("general")
    about.add_argument("-h", "--help", action="help", help="show this help and exit")
    about.add_argument(
        "--version", action="version", version=f"IOTA {iota.__version__}", help="show the version and exit"
    )
    about.add_argument(
        "-d",
        "--default",
        action="store_true",
        help="write iota.param and target.phil, print the script with help, and exit",
    )
    about.add_argument(
        "--completion",
        choices=("bash", "zsh", "fish"),
        help="print the completion of options and parameter names for the start-up file of this shell, and exit",
    )
    return parser
