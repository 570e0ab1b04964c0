"""Cells, lattices, space groups, Miller indices and resolution shells: each question is answered by one function.

    cells              a cell as six numbers: text, whether there can be such a cell, volume, metric, basis
    nearness           how far cells differ, and the tolerances within which they are one
    lattices           reduction, and the setting of a lattice that is closest to another cell
    multiples          supercells and subcells
    vonorms            lattices as points, for comparing many
    space_groups       what a symbol says: point group, Bravais lattice, crystal system
    metric_symmetry    symmetries that a cell allows, settings, indexing ambiguities
    compatibility      whether a cell fits a space group
    indices            Miller indices: asymmetric unit, unique reflections, packing into integers
    shells             resolution shells

A cell is a, b, c (A) and alpha, beta, gamma (degrees). Only functions that need cctbx import it: ``cells``,
``nearness`` and ``shells`` do without.
"""
