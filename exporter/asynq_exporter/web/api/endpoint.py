"""What an endpoint is."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from asynq_exporter.web.api.models.shape import Ask
from asynq_exporter.web.api.roles import Role

Handler = Callable[..., Awaitable[BaseModel]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint; everything else about it follows from this."""

    #: Label in metrics and audit, and the operation's ID in OpenAPI.
    name: str
    method: Literal["GET", "POST", "DELETE"]
    #: Below PREFIX, with {names} that are fields of what is asked.
    path: str
    #: The lowest that may.
    role: Role
    asks: type[Ask]
    answers: type[BaseModel]
    handler: Handler
    #: Language -> sentence.
    says: Mapping[str, str]
    #: Statuses beside those that every endpoint may answer.
    refusals: tuple[int, ...] = ()
    #: Whether it is one of the nine of the guide.
    is_documented: bool = False

    @property
    def is_write(self) -> bool:
        """Whether it changes anything."""
        return self.method != "GET"

    @property
    def has_body(self) -> bool:
        """Whether what is asked comes as JSON; else in the query."""
        return self.method == "POST"

    @property
    def path_names(self) -> tuple[str, ...]:
        """Fields that stand in the path."""
        return tuple(re.findall(r"\{(\w+)\}", self.path))

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every status that it may refuse with."""
        common = {400, 401, 403, 422, 429, 500, 503}
        body = {408, 413, 415} if self.has_body else set()
        write = {409} if self.is_write else set()
        return tuple(sorted({*common, *body, *write, *self.refusals}))

    def dispatched(self, context: Any, asked: Ask, caller: Any) -> Awaitable[BaseModel]:
        """The answer of the handler."""
        return self.handler(context, asked, caller)
