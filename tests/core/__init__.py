"""Tests of the queue core against a real redis-server."""
