"""The frames of a run as columns: read from the ledger, cached, selected, and given to other programs."""
