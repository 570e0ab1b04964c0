#!/usr/bin/env bash
# The directed distance of a panel says on which side of the sample its normal points, not on which side the panel is.
#
# One would guess: dxtbx's get_directed_distance() is positive for a panel downstream of the sample and negative for one
#   upstream, since get_distance() is its absolute value.
# What happens: the sign is that of the origin along fast x slow. Two descriptions of one and the same plane downstream,
#   with the rows counted upwards or downwards, have distances of opposite sign. Where the beam meets the panel is right
#   in both.
# Seen with: DIALS 3.12.1 (Debian 12)
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-dials 3.12.1

seen='rows down: directed distance 110.0, distance 110.0, beam centre (20.0, 20.0)
rows up: directed distance -110.0, distance 110.0, beam centre (20.0, 20.0)'
came_out=$("$python" - <<'CODE'
from dxtbx.model import BeamFactory, Detector

s0 = BeamFactory.make_beam(sample_to_source=(0, 0, 1), wavelength=1.0).get_s0()  # the beam goes towards -z
frames = {"rows down": ((1, 0, 0), (0, -1, 0), (-20, 20, -110)), "rows up": ((1, 0, 0), (0, 1, 0), (-20, -20, -110))}
for name, (fast, slow, origin) in frames.items():
    panel = Detector().add_panel()
    panel.set_frame(fast, slow, origin)
    centre = tuple(round(x, 3) for x in panel.get_beam_centre(s0))
    print(f"{name}: directed distance {panel.get_directed_distance()}, distance {panel.get_distance()}, beam centre {centre}")
CODE
)
compare "$seen" "$came_out"
