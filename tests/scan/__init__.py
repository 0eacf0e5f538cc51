"""Tests of the scan part."""
