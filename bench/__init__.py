"""Benchmarks: ratios of dlexp to the plain way, the two measured in turn within one run. Never part of the tests."""
