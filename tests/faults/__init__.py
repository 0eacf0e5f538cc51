"""Everything that can go wrong around the exporter, done to it; docs/faults.md is the table of it."""
