"""Measures pyfunc beside its peers; `benchmarks/run.py` is the door, the README the manual."""
