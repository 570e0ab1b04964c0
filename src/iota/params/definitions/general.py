"""Parameters outside all scopes: title, inputs and project folder."""

from __future__ import annotations

PHIL = """
description = None
  .type = str
  .help = Title of the run
  .short_caption = Description
  .expert_level = 0
input = None
  .type = path
  .multiple = True
  .help = Images, folders (searched recursively), wildcards, text files with lists of paths, or multi-image masters
  .short_caption = Input
  .expert_level = 0
output = None
  .type = path
  .help = Runs are written to integration/NNN in this folder. None is the current folder.
  .short_caption = Project folder
  .expert_level = 0
"""
