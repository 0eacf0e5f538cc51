"""What is decided without looking at Redis: pure functions over the tables of the catalogue."""
