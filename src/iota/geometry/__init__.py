"""Detector geometry from the spots of many stills, in numbers and without DIALS: search, diagnosis, refinement.

    prediction         where a crystal puts its reflections, with derivatives
    panels             panels of a detector, their hierarchy, rigid motions of groups
    observations       indexed spots of many stills as flat arrays, with the crystal of each lattice
    motions            free motions of a detector by levels
    crystals           parameters of many crystals: orientations, own or shared cells
    normal_equations   normal equations, and exact elimination of the crystals
    degeneracy         which motions are determined, and which are held
    outliers           spots that are not used, and variances of the others
    joint              joint refinement of a detector and all crystals
    displacements      how far places on a detector move between two geometries
    diagnosis          whether a detector is where it is taken to be
    drift              how a detector moved during a run
    search             beam centre and distance from hits that cannot be indexed, with centre_vote,
                       lattice_vectors, still_bases, common_cell and shared_fit

Coordinate frames and signs: docs/explanations/coordinate-frames.md. Shifts are along x and y of the laboratory (for a
beam along z), the distance is along the beam, and rotations are right-handed about x, y and z.
"""
