"""What answers under /api/v1/ while no token file is configured."""

from aiohttp import web

HINT = (
    "The management API is off: name a file with tokens by --api.token-file or ASYNQ_ADMIN_TOKEN_FILE"
    " to turn it on."
)


async def page(_request: web.Request) -> web.Response:
    """404, with how to turn the API on."""
    error = {"code": "api_off"}
    return web.json_response({"success": False, "error": error, "message": HINT}, status=404)
