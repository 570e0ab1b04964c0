"""Analysis of a run from its records: unit cells, statistics, completeness; never reads pixels."""
