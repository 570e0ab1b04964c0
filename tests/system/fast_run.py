"""A run over made-up frames in the current folder: new, or taken up again when there is one.  For kill -9."""

import sys
from pathlib import Path

import hostile_engine

from iota.inputs import Inputs
from iota.params import read
from iota.processing.from_parameters import engine_config
from iota.processing.run import Run
from iota.records import FrameRef
from iota.runs import RunFolder
from iota.workers.local import LocalPool


class Nobody:
    """Looks at nothing."""

    def progress(self, *_):
        pass

    def determined(self, lattice):
        pass

    def note(self, text):
        pass


def _what(k):
    """What happens to a frame: blanks come in tens, and there is a crash among them, too."""
    return "segfault" if k % 40 in (7, 36) else "slow" if k % 40 < 30 else "blank"


def main(n_frames, *retry):
    path = Path("integration/001")
    if (path / "input.lst").exists():
        run = Run.resume(RunFolder.open(path.absolute()), retry=retry)
    else:
        frames = [FrameRef(f"/data/{_what(k)}_{k}.cbf") for k in range(n_frames)]
        parameters = read([], ["target_unit_cell=79 79 38 90 90 90", "target_space_group=P422", "geometry.refine=off"])
        run = Run.create(RunFolder.create(Path.cwd()), parameters, Inputs(frames, [], []), [], {})
    run.execute(
        Nobody(), LocalPool(2, engine_config(run.parameters.values, run.target, run.folder), 30.0, hostile_engine)
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
