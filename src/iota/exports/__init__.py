"""Export of a run to DIALS, xia2 and CrystFEL."""
