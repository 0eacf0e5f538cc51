"""Tests of the metrics part."""
