"""Processes that IOTA starts: a question that one answers, a command of IOTA, and a program run with a log.

All are started here and nowhere else, so that none imports anything from the current folder, and every failure of a
process is described in a sentence. Two kinds of processes are made elsewhere: workers, which are forked
(:mod:`iota.workers`), and jobs of batch systems.
"""
