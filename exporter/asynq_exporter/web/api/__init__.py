"""The management API under /api/v1/: the guide's nine endpoints, and what asynqmon can do.

    endpoints.py    THE table: routing, roles, OpenAPI, the page and docs/api.md follow from it
    models/         what is asked and what is answered, as pydantic models
    handlers/       one function for each endpoint, over the Inspector, the scan and the task records
    gate.py         the way of a request: token, role, body, repetition, handler, audit
    tokens.py attempts.py answers.py audit.py errors.py body.py      the parts of that way
    openapi.py page.py reference.py                                  the table for programs and people

Imported only where the API is on, but for `off` and `roles`: pydantic costs start-up time.
"""
