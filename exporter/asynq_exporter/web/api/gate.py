"""The way of a request: token, role, body, repetition, handler; counted and, when it writes, audited."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from asynq_exporter.core.errors import AsynqError, UnavailableError
from asynq_exporter.metrics.api import Counts
from asynq_exporter.web.api import audit, body, errors
from asynq_exporter.web.api.answers import HEADER, REPLAYED_HEADER, Answers, Kept
from asynq_exporter.web.api.attempts import Attempts, client_of
from asynq_exporter.web.api.context import Context
from asynq_exporter.web.api.endpoint import Endpoint
from asynq_exporter.web.api.errors import ApiError
from asynq_exporter.web.api.models.shape import Ask
from asynq_exporter.web.api.paths import ROOT
from asynq_exporter.web.api.tokens import Caller, Tokens, digest_of

logger = logging.getLogger(__name__)

#: Methods that are counted by name.
METHODS = frozenset({"GET", "POST", "DELETE"})

#: What a wrong value is called for a person; pydantic's own words for the rest.
_JSON_INVALID = "json_invalid"

#: Answers are of the moment, and only for who asked.
_HEADERS = {"Cache-Control": "no-store"}


@dataclass(slots=True)
class _Asked:
    """What is known of a request as it goes its way."""

    caller: Caller | None = None
    values: Mapping[str, Any] | None = None
    replayed: bool = False


class Gate:
    """Lets requests through to the endpoints."""

    def __init__(
        self,
        context: Context,
        *,
        tokens: Tokens,
        attempts: Attempts,
        answers: Answers,
        counts: Counts,
        read_only: bool,
    ) -> None:
        self._context = context
        self._tokens = tokens
        self._attempts = attempts
        self._answers = answers
        self._counts = counts
        self._read_only = read_only

    def handler(self, endpoint: Endpoint) -> Handler:
        """What aiohttp calls for an endpoint."""

        async def handle(request: web.Request) -> web.Response:
            return await self._handle(endpoint, request)

        return handle

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Gives what aiohttp itself refuses below /api/v1/ the shape of our errors."""
        if not request.path.startswith(ROOT):
            return await handler(request)
        try:
            return await handler(request)
        except web.HTTPMethodNotAllowed as exc:
            allowed = ", ".join(sorted(exc.allowed_methods))
            error = ApiError(405, "method_not_allowed", f"use {allowed} here", headers={"Allow": allowed})
        except web.HTTPNotFound:
            error = ApiError(404, "no_such_path", f"no such path; {ROOT} lists those that exist")
        except web.HTTPException as exc:
            error = ApiError(exc.status, "refused", exc.reason)
        method = request.method if request.method in METHODS else "other"
        self._counts.count_request("unknown", method, error.status)
        return _refusal(error)

    async def _handle(self, endpoint: Endpoint, request: web.Request) -> web.Response:
        asked = _Asked()
        try:
            response, told = await self._answer(endpoint, request, asked)
        except ApiError as exc:
            response, told = _refusal(exc), exc.body()
        except AsynqError as exc:
            error = errors.of(exc)
            if error.status >= 500:
                logger.warning("API request failed", extra={"endpoint": endpoint.name, "error": str(exc)})
            response, told = _refusal(error), error.body()
        except Exception:
            logger.exception("API request failed", extra={"endpoint": endpoint.name})
            error = ApiError(500, "internal", "an error of the exporter; its log says more")
            response, told = _refusal(error), error.body()
        self._counts.count_request(endpoint.name, endpoint.method, response.status)
        if endpoint.is_write and asked.caller is not None:
            self._audit(endpoint, request, asked, response.status, told)
        return response

    async def _answer(
        self, endpoint: Endpoint, request: web.Request, asked: _Asked
    ) -> tuple[web.Response, Mapping[str, Any]]:
        caller = asked.caller = self._identify(request)
        self._allow(endpoint, request, caller)
        raw = await body.read(request) if endpoint.has_body else b""
        ask = parse(endpoint, request, raw)
        asked.values = ask.model_dump(mode="json")
        key = request.headers.get(HEADER)
        if key is None or not endpoint.is_write:
            answer = await endpoint.dispatched(self._context, ask, caller)
            return _json(answer.model_dump_json()), answer.model_dump(mode="json")
        kept = await self._once(endpoint, ask, caller, key, asked)
        headers = {REPLAYED_HEADER: "true"} if asked.replayed else {}
        return _json(_dump(kept.body), status=kept.status, headers=headers), kept.body

    async def _once(self, endpoint: Endpoint, ask: Ask, caller: Caller, key: str, asked: _Asked) -> Kept:
        """The answer to a request with a key, from the first time that it was made."""
        same = f"{endpoint.name}\n{ask.model_dump_json()}".encode("utf-8", "surrogatepass")
        claim = await self._answers.begin(owner=caller.name, given=key, request=same)
        if isinstance(claim, Kept):
            asked.replayed = True
            return claim
        try:
            answer = await endpoint.dispatched(self._context, ask, caller)
            kept = Kept(status=200, body=answer.model_dump(mode="json"))
        except (AsynqError, ApiError) as exc:
            error = exc if isinstance(exc, ApiError) else errors.of(exc)
            if error.status >= 500:
                await self._answers.give_up(claim)
                raise
            kept = Kept(status=error.status, body=error.body())
        try:
            await self._answers.keep(claim, kept)
        except UnavailableError as exc:
            logger.warning("An answer could not be kept for a repetition", extra={"error": str(exc)})
        return kept

    def _identify(self, request: web.Request) -> Caller:
        """Who asks; raises ApiError."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unauthorized("missing_token", "send a token: Authorization: Bearer TOKEN")
        digest, client = digest_of(token.strip()), client_of(request.remote)
        wait = self._attempts.retry_after_seconds(client, digest)
        if wait is not None:
            message = f"too many wrong tokens; try again in {wait} s"
            raise ApiError(429, "too_many_attempts", message, headers={"Retry-After": str(wait)})
        caller = self._tokens.find(digest)
        if caller is None:
            self._attempts.failed(client)
            logger.warning("API token refused", extra={"client": client})
            raise _unauthorized("invalid_token", "the token is not known")
        self._attempts.succeeded(client, digest)
        return caller

    def _allow(self, endpoint: Endpoint, request: web.Request, caller: Caller) -> None:
        """Raises ApiError when who asks may not."""
        if not caller.role.may(endpoint.role):
            message = f"this needs the role {endpoint.role.value}; the token is of a {caller.role.value}"
            raise ApiError(403, "role_too_low", message, details={"role": caller.role.value})
        if not endpoint.is_write:
            return
        if self._read_only:
            message = "writes are switched off by ASYNQ_READONLY or --api.read-only"
            raise ApiError(403, "read_only", message)
        if is_cross_site(request.headers, request.host):
            raise ApiError(403, "cross_site", "a page of another site may not write here")

    def _audit(
        self,
        endpoint: Endpoint,
        request: web.Request,
        asked: _Asked,
        status: int,
        told: Mapping[str, Any],
    ) -> None:
        assert asked.caller is not None  # noqa: S101 -- see the only caller
        values = dict(asked.values or request.match_info)
        if not values.get("dry_run") and not asked.replayed:
            self._counts.count_write(endpoint.name, status)
        audit.log(
            who=asked.caller.name,
            role=asked.caller.role.value,
            client=client_of(request.remote),
            action=endpoint.name,
            asked=values,
            status=status,
            body=told,
            replayed=asked.replayed,
        )


def parse(endpoint: Endpoint, request: web.Request, raw: bytes) -> Ask:
    """What is asked; raises ApiError."""
    try:
        if endpoint.has_body:
            return endpoint.asks.model_validate_json(raw, strict=True)
        given = dict(request.match_info)
        for name, value in request.query.items():
            if name in given:
                raise _invalid([{"field": name, "problem": "is given twice"}])
            given[name] = value
        return endpoint.asks.model_validate_strings(given)
    except ValidationError as exc:
        found = exc.errors(include_url=False, include_context=False, include_input=False)
        if any(one["type"] == _JSON_INVALID for one in found):
            raise ApiError(400, "invalid_json", f"the body is not JSON: {found[0]['msg']}") from exc
        raise _invalid(
            [{"field": ".".join(map(str, one["loc"])) or "body", "problem": one["msg"]} for one in found[:20]]
        ) from exc


def is_cross_site(headers: Mapping[str, str], host: str) -> bool:
    """Whether a browser says that the page of another origin sent the request."""
    site = headers.get("Sec-Fetch-Site")
    if site is not None and site not in {"same-origin", "none"}:
        return True
    origin = headers.get("Origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:
        return True


def _invalid(problems: list[dict[str, str]]) -> ApiError:
    told = "; ".join(f"{one['field']}: {one['problem']}" for one in problems[:3])
    return ApiError(422, "invalid_request", told, details={"problems": problems})


def _unauthorized(code: str, message: str) -> ApiError:
    return ApiError(401, code, message, headers={"WWW-Authenticate": 'Bearer realm="asynq-exporter"'})


def _refusal(error: ApiError) -> web.Response:
    return _json(_dump(error.body()), status=error.status, headers=error.headers)


def _dump(told: Any) -> str:
    # In ASCII: what was asked may hold what is no Unicode, and comes back in the refusal.
    return json.dumps(told, separators=(",", ":"))


def _json(text: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        text=text, status=status, content_type="application/json", headers={**_HEADERS, **(headers or {})}
    )
