"""Tests of the asynq exporter; the folders mirror the package."""
