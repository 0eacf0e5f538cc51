"""Tests of asynq_exporter.core.worker."""
