"""Headers of every answer, even of those that aiohttp gives before the application is asked."""

from aiohttp import web

#: Which library serves, in which version, is nobody's business.
SERVER = {"Server": "asynq-exporter"}

#: Nothing here is to be framed, guessed at or sent on; a page may have its own idea.
DEFAULTS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
}


async def add(_request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Adds them to an answer."""
    response.headers.update(SERVER)
    for name, value in DEFAULTS.items():
        response.headers.setdefault(name, value)
