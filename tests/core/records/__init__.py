"""Task records on SQLite and PostgreSQL, beside a real Redis."""
