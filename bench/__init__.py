"""Benchmarks: `make bench` measures, prints ratios and writes bench/README.md. Nothing here is a test."""
