"""The pages docs/api.md and docs/api.zh-CN.md, made from the table."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache

from asynq_exporter.web.api import curl, fields
from asynq_exporter.web.api.endpoint import Endpoint
from asynq_exporter.web.api.endpoints import ENDPOINTS
from asynq_exporter.web.api.errors import STATUSES
from asynq_exporter.web.api.page import texts

INTRODUCTIONS: Mapping[str, str] = {
    "en": """\
# Management API

Made from the table in `asynq_exporter.web.api.endpoints` by `make docs`; a test compares.

The API is off until a file with tokens is named; then the server has it at `/api/v1/queue/`, a page for people at `/api/v1/` and the OpenAPI document at
`/api/v1/openapi.json`.

```
(umask 077; echo "admin:ops:$(openssl rand -hex 32)" > tokens)
asynq-exporter serve --redis.url redis://HOST:6379/0 --api.token-file tokens
```

![The page at `/api/v1/`: roles, a list of the endpoints, and for each an example to copy](images/api.png)

## Access

A line of the file is `TOKEN` (an admin), `ROLE:TOKEN` or `ROLE:NAME:TOKEN`; `TOKEN` may be `sha256:` and its hash (`printf %s TOKEN | sha256sum`). The
file is read anew when it changes; one that cannot be used lets nobody in. Send a token as `Authorization: Bearer TOKEN`.

| role | may |
|---|---|
| viewer | read; payloads, results and headers are hidden (`--api.payloads`) |
| operator | also run, archive, delete and stop tasks, pause queues |
| admin | also cancel tasks with a refund |

- After 10 wrong tokens a client (an IPv4 address, an IPv6 /64) waits 6 s for each further one, and all clients together have 200 and 2 a second. Who was let
  in before is not kept out. Behind a proxy all clients look like one.
- `ASYNQ_READONLY=true` refuses every write.
- There are no CORS headers, so a page of another site reads nothing, and a write that a browser sends for one is refused.
- Where `--web.config.file` asks for a user and password, this API does not: its tokens do.
- The Redis user of the API needs more than the exporter's: [redis-acl.md](redis-acl.md). `--api.redis-username` gives it one of its own.

Each write leaves one line `API write` in the log, also when it is refused: who, role, client, action, queue, tasks, result. No payload and no token is
logged. `asynq_api_requests_total` and `asynq_api_writes_total` count at `/metrics`.

## Shapes

```json
{"success": true, "data": {}}
{"success": true, "message": "任务已取消并退还资源", "data": {}}
{"success": false, "error": {"code": "task_active", "state": "active"}, "message": "task 'job:task_xxx:0' is running: cancel it instead"}
```

Messages of what was done are in Chinese, as in the operations guide; refusals are in English and carry a code for programs. Parameters that are not known
are refused. Moments are RFC 3339 in UTC. A number that is not known is null, never 0. A payload or result is
`{"encoding": "utf-8" | "base64", "data": "…", "cut": false}`.

With `Idempotency-Key` (1 to 255 visible ASCII characters) a write happens once: the same request with the same key and token gets the same answer for a day,
with `Idempotency-Replayed: true`; another request gets 409, and so does one whose first is still under way. The newest 1,000 answers are kept, in Redis, so it
holds over restarts and replicas.

Cancelling works on the task records (`--records.database-url`): see `cancel` below. Without them it answers 501; stopping or deleting a job does not need
them, and refunds nothing.
""",
    "zh": """\
# 管理 API

由 `make docs` 根据 `asynq_exporter.web.api.endpoints` 中的表生成，测试会比对。

未指定令牌文件时 API 关闭；指定后接口在 `/api/v1/queue/`，说明页在 `/api/v1/`，OpenAPI 文档在 `/api/v1/openapi.json`。

```
(umask 077; echo "admin:ops:$(openssl rand -hex 32)" > tokens)
asynq-exporter serve --redis.url redis://HOST:6379/0 --api.token-file tokens
```

![`/api/v1/` 的说明页：角色、接口列表，以及每个接口可复制的示例](images/api.zh.png)

## 访问控制

文件每行为 `TOKEN`（admin）、`ROLE:TOKEN` 或 `ROLE:NAME:TOKEN`；`TOKEN` 也可以写成 `sha256:` 加哈希（`printf %s TOKEN | sha256sum`）。文件变化后自动重读；
无法使用的文件不放行任何人。请求头：`Authorization: Bearer TOKEN`。

| 角色 | 权限 |
|---|---|
| viewer | 查询；看不到载荷、结果和头信息（`--api.payloads`） |
| operator | 另可重试、归档、删除、停止任务，暂停队列 |
| admin | 另可取消任务并退还资源 |

- 同一客户端（一个 IPv4 地址或一个 IPv6 /64）连错 10 次后，每 6 秒才允许再试一次；全部客户端合计 200 次，之后每秒 2 次。之前成功过的令牌不受影响。
  经过代理时所有客户端视为一个。
- `ASYNQ_READONLY=true` 拒绝所有写操作。
- 不返回 CORS 头，其他网站的页面读不到任何内容；浏览器代其他网站发出的写请求会被拒绝。
- `--web.config.file` 要求用户名密码时，API 不受其约束，只认自己的令牌。
- API 使用的 Redis 用户需要更多权限，见 [redis-acl.zh-CN.md](redis-acl.zh-CN.md)；可用 `--api.redis-username` 单独指定。

每次写操作（包括被拒绝的）在日志中留下一行 `API write`：谁、角色、客户端、动作、队列、任务、结果；不记录载荷和令牌。`/metrics` 中有
`asynq_api_requests_total` 和 `asynq_api_writes_total`。

## 响应格式

```json
{"success": true, "data": {}}
{"success": true, "message": "任务已取消并退还资源", "data": {}}
{"success": false, "error": {"code": "task_active", "state": "active"}, "message": "task 'job:task_xxx:0' is running: cancel it instead"}
```

成功消息为中文，与运维指南一致；拒绝消息为英文，并带有供程序判断的 code。未知参数会被拒绝。时间为 UTC 的 RFC 3339 格式。未知的数字为 null，不会写成 0。
载荷和结果为 `{"encoding": "utf-8" | "base64", "data": "…", "cut": false}`。

写请求带 `Idempotency-Key`（1 到 255 个可见 ASCII 字符）时只执行一次：一天之内，同一令牌用同一个键发出同样的请求，得到同样的响应，并带有
`Idempotency-Replayed: true`；不同的请求，或首次请求尚未完成，返回 409。最近 1,000 个响应保存在 Redis 中，重启和多副本同样有效。

取消任务依赖任务记录（`--records.database-url`），见下文 `cancel`；没有任务记录时返回 501。停止或删除队列任务不需要任务记录，也不退还资源。
""",
}


#: What the page says beside the texts that it shares with the one at /api/v1/.
WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "answer": "Response, `data`",
        "objects": "Objects",
        "objects_more": "What several responses have, or other objects.",
        "field": "field",
        "kind": "type",
        "meaning": "meaning",
    },
    "zh": {
        "answer": "响应的 `data`",
        "objects": "对象",
        "objects_more": "多个响应或其他对象共用的对象。",
        "field": "字段",
        "kind": "类型",
        "meaning": "说明",
    },
}


#: An object in the kind of a field.
_OBJECT = re.compile(r"\{(\w+)\}")


def page(language: str) -> str:
    """The page as Markdown."""
    t = texts()[language]
    parts = [INTRODUCTIONS[language], f"## {t['refusals']}\n", *_statuses(language)]
    for name, documented in (("guide", True), ("more", False)):
        parts.append(f"## {t[name]}\n")
        for endpoint in ENDPOINTS:
            if endpoint.is_documented is documented:
                parts += _section(endpoint, language)
    parts += _objects(language)
    return "\n".join(parts)


def _statuses(language: str) -> Iterable[str]:
    heads = {"en": ("status", "when"), "zh": ("状态码", "情形")}
    yield _head(heads[language])
    for status, when in STATUSES.items():
        yield f"| {status} | {when[language]} |"
    yield ""


def _section(endpoint: Endpoint, language: str) -> Iterable[str]:
    t = texts()[language]
    yield f"### `{endpoint.method} {fields.path_of(endpoint)}`\n"
    yield f"{endpoint.says[language]} — **{endpoint.role.value}**\n"
    if asked := fields.fields_of(endpoint):
        yield _head([t[name] for name in ("field", "place", "kind", "default", "meaning")])
        for one in asked:
            default = t["required"] if one.default is None else f"`{one.default}`"
            yield f"| `{one.name}` | {t[one.place]} | {one.kind} | {default} | {one.says[language]} |"
        yield ""
    yield f"```\n{curl.example(endpoint)}\n```\n"
    yield from _answer(endpoint, language)


def _answer(endpoint: Endpoint, language: str) -> Iterable[str]:
    """The fields of the answer, or the object that it is."""
    kind, says = fields.answer_of(endpoint), WORDS[language]["answer"]
    name = kind.strip("{}")
    colon = ": " if language == "en" else "："
    if name not in fields.answers() or name in _shared():
        yield f"{says}{colon}{_linked(kind)}\n"
    else:
        yield f"{says}{colon.strip()}\n"
        yield from _answer_table(name, language)


def _objects(language: str) -> Iterable[str]:
    yield f"## {WORDS[language]['objects']}\n\n{WORDS[language]['objects_more']}\n"
    for name in fields.answers():
        if name in _shared():
            yield f"### {name}\n"
            yield from _answer_table(name, language)


def _answer_table(name: str, language: str) -> Iterable[str]:
    yield _head(WORDS[language][head] for head in ("field", "kind", "meaning"))
    for one in fields.answers()[name]:
        yield f"| `{one.name}` | {_linked(one.kind)} | {one.says[language]} |"
    yield ""


@cache
def _shared() -> frozenset[str]:
    """The objects that stand within others, or are the whole answer of several endpoints."""
    whole = Counter(fields.answer_of(endpoint) for endpoint in ENDPOINTS)
    kinds = [one.kind for views in fields.answers().values() for one in views]
    kinds += [kind for kind, times in whole.items() if times > 1 or not kind.startswith("{")]
    return frozenset(name for kind in kinds for name in _OBJECT.findall(kind))


def _linked(kind: str) -> str:
    return _OBJECT.sub(lambda match: f"[{match[1]}](#{match[1].lower()})", kind)


def _head(names: Iterable[str]) -> str:
    cells = list(names)
    return f"| {' | '.join(cells)} |\n|{'---|' * len(cells)}"
