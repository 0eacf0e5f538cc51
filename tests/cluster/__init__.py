"""A Redis Cluster in the place of a single Redis, with real servers."""
