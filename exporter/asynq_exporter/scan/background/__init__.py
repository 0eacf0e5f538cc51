"""Slow things, away from the scrape path: each with a budget of commands and a sample that says its age."""
