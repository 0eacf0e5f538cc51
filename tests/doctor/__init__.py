"""The doctor: checks, words, reports, and the command against real Redis servers."""
