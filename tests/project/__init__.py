"""Tests of the project part."""
