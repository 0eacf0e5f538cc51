"""Deployments: what is installed, and where it is put."""
