"""What is asked and what is answered, one file for each noun; OpenAPI and docs/api.md are made from these."""
