"""Tests of what asynq's wire document writes down: bytes, examples, checklist."""
