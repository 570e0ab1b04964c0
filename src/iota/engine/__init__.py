"""One frame through DIALS: import, triage, spots, lattice, integration, filter.  Alone imports dials and dxtbx."""
