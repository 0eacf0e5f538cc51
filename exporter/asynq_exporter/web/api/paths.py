"""Where the API is."""

#: The page, the document, and below it everything.
ROOT = "/api/v1/"

#: The endpoints, which ask for a token.
PREFIX = "/api/v1/queue"
