"""Monitor mode and image viewer."""

from __future__ import annotations

PHIL = """
gui
  .help = Monitor mode and image viewer
  .short_caption = Monitoring and viewing
{
  image_viewer = *dials.image_viewer cctbx.image_viewer distl.image_viewer cxi.view
    .type = choice
    .help = Viewer proposed in the summary of a run for inspecting its images
    .short_caption = Image viewer
    .expert_level = 1
  monitor_mode = False
    .type = bool
    .help = Keep looking for new images in the inputs during processing
    .short_caption = Monitor mode
    .expert_level = 0
  monitor_mode_timeout = False
    .type = bool
    .help = End monitor mode when no new images have arrived for some time
    .short_caption = Monitor mode time-out
    .expert_level = 0
  monitor_mode_timeout_length = 0
    .type = int(value_min=0)
    .help = Time to wait for new images (s)
    .short_caption = Length of time-out
    .expert_level = 0
  monitor_mode_incomplete_after = 30
    .type = float(value_min=0)
    .help = A file that is incomplete and has not changed for this time (s) is processed as it is, and fails
    .short_caption = Wait for incomplete files
    .expert_level = 2
  monitor_mode_newest_first = False
    .type = bool
    .help = When images arrive faster than they can be processed, discard blanks first and process the newest hits \
            first
    .short_caption = Newest images first
    .expert_level = 1
}
"""
