#!/usr/bin/env bash
# The parallax correction of dxtbx is too small for sensors through which many photons pass.
#
# One would guess: pixel_to_millimeter subtracts the mean depth at which the photons that are detected are absorbed.
# What happens: it subtracts 1/mu - (t + 1/mu) exp(-mu t), a mean in which photons that pass through the sensor count as
# absorbed at its surface. The mean over absorbed photons is larger by a factor of 1/(1 - exp(-mu t)).
# Seen with: DIALS 3.12.1 (Debian 12, python3-dials); parallax_correction.h is the same in DIALS 3.30
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-dials 3.12.1

seen="depth of dxtbx: 0.091 mm
mean depth of absorbed photons: 0.127 mm"
came_out=$("$python" - <<'CODE'
import numpy as np
from dxtbx.model import Panel, ParallaxCorrectedPxMmStrategy

mu, thickness = 3.966, 0.32  # 1/mm and mm: silicon at 12.65 keV
panel = Panel()
panel.set_frame((1, 0, 0), (0, -1, 0), (-0.5, 0.5, -100))
panel.set_pixel_size((0.1, 0.1))
panel.set_image_size((100, 100))
panel.set_px_mm_strategy(ParallaxCorrectedPxMmStrategy(mu, thickness))
x_mm = 6.0
corrected = panel.pixel_to_millimeter((x_mm / 0.1, 5.0))[0]
sine = (x_mm - 0.5) / np.hypot(x_mm - 0.5, 100.0)
print(f"depth of dxtbx: {(x_mm - corrected) / sine:.3f} mm")
depth = np.linspace(0.0, thickness / np.sqrt(1.0 - sine**2), 100001)
absorbed = np.exp(-mu * depth)
print(f"mean depth of absorbed photons: {(depth * absorbed).sum() / absorbed.sum():.3f} mm")
CODE
)
compare "$seen" "$came_out"
