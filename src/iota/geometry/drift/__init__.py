"""How a detector moved during a run: measured from indexed spots in the order of time.

measuring   the shifts of each lattice, and their means in blocks
courses     the simplest course that explains the blocks: lines and steps
record      the result, and what is said of it; definitions only
"""
