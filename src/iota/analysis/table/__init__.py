"""The frames of a run as columns: read from the ledger, cached, selected, exported to pandas and Arrow."""
