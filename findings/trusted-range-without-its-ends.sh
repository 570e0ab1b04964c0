#!/usr/bin/env bash
# The mask of the trusted range leaves out both ends of the range, although a panel calls a value at the lower end trusted.
#
# One would guess: with a trusted range of (0, 100), pixels with 0 to 100 counts are trusted, and dxtbx's
#   get_trusted_range_mask() and is_value_in_trusted_range() agree on every value.
# What happens: the mask is False for 0 and for 100. is_value_in_trusted_range() is True for 0 and False for 100. In
#   DIALS 3.30 all four are True, so that models written by a newer version mask other pixels in an older one: with a
#   lower limit of 0, all pixels without a photon.
# Seen with: DIALS 3.12.1 (Debian 12)
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-dials 3.12.1

seen='counts    -1 0 1 99 100 101
value     False True True True False False
mask      False False True True False False'
came_out=$("$python" - <<'CODE'
from dxtbx.model import Panel
from scitbx.array_family import flex

counts = [-1, 0, 1, 99, 100, 101]
panel = Panel()
panel.set_image_size((len(counts), 1))
panel.set_trusted_range((0, 100))
image = flex.int(counts)
image.reshape(flex.grid(1, len(counts)))
print("counts   ", *counts)
print("value    ", *(panel.is_value_in_trusted_range(count) for count in counts))
print("mask     ", *panel.get_trusted_range_mask(image))
CODE
)
compare "$seen" "$came_out"
