"""Tests of the observability bundle: dashboards, alerts, rules, Prometheus, Alertmanager."""
