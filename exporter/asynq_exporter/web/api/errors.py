"""Everything that is refused, in one shape: {"success": false, "error": {"code": ...}, "message": ...}."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from asynq_exporter.core.errors import (
    AlreadyExistsError,
    AsynqError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
    WrongStateError,
)

#: Status -> language -> when.
STATUSES: Mapping[int, Mapping[str, str]] = {
    400: {"en": "the body is no JSON, or cannot be decoded", "zh": "请求体不是 JSON，或无法解码"},
    401: {"en": "no token, or an unknown one", "zh": "没有令牌，或令牌无效"},
    403: {
        "en": "the role does not reach, writes are switched off, or a page of another site asks",
        "zh": "角色权限不足、写操作已关闭，或请求来自其他网站的页面",
    },
    404: {"en": "no such path, queue, task or record", "zh": "路径、队列、任务或任务记录不存在"},
    405: {"en": "the path knows other methods: see `Allow`", "zh": "该路径不支持此方法，见 `Allow`"},
    408: {"en": "the body was not complete within 10 s", "zh": "请求体未在 10 秒内收完"},
    409: {
        "en": "the state forbids it: `error.state` of the task, `error.status` of the record; or the queue is"
        " paused already; or the same request is under way, or its idempotency key used for another",
        "zh": "状态不允许：任务见 `error.state`，记录见 `error.status`；或队列已暂停；"
        "或同样的请求正在处理，或幂等键已用于其他请求",
    },
    413: {"en": "the body is longer than 256 KiB", "zh": "请求体超过 256 KiB"},
    415: {"en": "the body is not `application/json`", "zh": "请求体不是 `application/json`"},
    422: {"en": "a value is wrong: `error.problems` names each", "zh": "参数有误，逐项列在 `error.problems`"},
    429: {
        "en": "too many wrong tokens from there: see `Retry-After`",
        "zh": "错误令牌过多，见 `Retry-After`",
    },
    500: {
        "en": "a key in Redis is not what it should be, or an error of the exporter; its log says more",
        "zh": "Redis 中的键类型异常，或 exporter 自身出错，详见其日志",
    },
    501: {
        "en": "no database of task records is configured, so there is nothing to cancel",
        "zh": "没有配置任务记录数据库，无法取消",
    },
    503: {
        "en": "Redis or the database is away, or does not allow it: see `Retry-After`",
        "zh": "Redis 或数据库不可用，或没有权限，见 `Retry-After`",
    },
}

#: Seconds after which it is worth to try again when Redis or the database was away.
RETRY_SECONDS = 5

#: Redis' words for what a user may not do, as a command and inside a script.
_NOT_ALLOWED = re.compile(r"NOPERM|ACL failure|can't run this command|no permissions", re.IGNORECASE)

_STATUS: Mapping[type[AsynqError], int] = {
    InvalidArgumentError: 422,
    NotFoundError: 404,
    AlreadyExistsError: 409,
    FailedPreconditionError: 409,
    UnavailableError: 503,
}


class ApiError(Exception):
    """A request is refused; all that the answer needs."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Takes what is told; `details` stand beside the code."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = dict(details or {})
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The answer."""
        return {"success": False, "error": {"code": self.code, **self.details}, "message": self.message}


def of(exc: AsynqError) -> ApiError:
    """How an error of the core is told."""
    if _NOT_ALLOWED.search(str(exc)):
        hint = "the Redis user of the API may not do this; docs/redis-acl.md has the rules it needs"
        return ApiError(503, "redis_not_allowed", f"{hint}: {exc}")
    status = next((code for kind, code in _STATUS.items() if isinstance(exc, kind)), 500)
    return ApiError(
        status,
        exc.code,
        str(exc),
        details=_details(exc),
        headers={"Retry-After": str(RETRY_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else None,
    )


def _details(exc: AsynqError) -> dict[str, str]:
    if isinstance(exc, WrongStateError):
        return {"state": exc.state}
    status = getattr(exc, "status", None)
    return {} if status is None else {"status": str(status)}
