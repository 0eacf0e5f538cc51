"""The Inspector on a real Redis."""
