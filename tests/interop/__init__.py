"""Interoperability with the Go library: both sides on one Redis."""
