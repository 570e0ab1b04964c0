"""Projects and their runs: listing, setting up, starting and stopping them."""
