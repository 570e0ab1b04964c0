"""The commands: parse arguments, call the program, print errors as sentences."""

import os

# Python processes that a command starts (multiprocessing does, too) look for modules in the current folder first, and
# would run a numpy.py that lies among somebody's images. Python before 3.11 does not know this variable.
os.environ.setdefault("PYTHONSAFEPATH", "1")
