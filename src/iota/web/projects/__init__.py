"""Projects and their runs: lists, set-up, starting and stopping."""
