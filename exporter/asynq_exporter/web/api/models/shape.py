"""The shapes that all requests and answers share."""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from asynq_exporter.core.states import TaskState

T = TypeVar("T")

MAX_ID_CHARACTERS = 1024
MAX_QUEUE_CHARACTERS = 256

#: A cursor holds the ID of a task, each of its bytes as three characters.
MAX_CURSOR_CHARACTERS, CURSOR_PATTERN = 12 * 1024, r"^[A-Za-z0-9_=-]+$"

#: The guide's default.
DEFAULT_QUEUE = "scheduled"


def told(en: str, zh: str, default: Any = ...) -> Any:
    """A field of an answer, described in both languages."""
    return Field(default, description=en, json_schema_extra={"x-zh": zh})


class Model(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Ask(BaseModel):
    """A request; what it does not know is refused, so that a misspelt filter does not show everything."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(Model, Generic[T]):
    """What was asked for."""

    success: Literal[True] = True
    data: T


class Done(Model, Generic[T]):
    """What was done; the message is for people, in the guide's language."""

    success: Literal[True] = True
    message: str = told("What was done, for people; in Chinese.", "操作结果，中文")
    data: T


class Problem(Model):
    """What is wrong with a value of the request."""

    field: str = told("Where, such as `task_ids.3`.", "位置，例如 `task_ids.3`")
    problem: str = told("What is wrong there.", "问题说明")


class ErrorDetail(BaseModel):
    """Why not, for programs."""

    model_config = ConfigDict(extra="allow")

    code: str = told("A stable word.", "固定的代码")
    state: str | None = told("State of the task that forbids it.", "不允许该操作的任务状态", None)
    problems: list[Problem] | None = told("Every value that is wrong.", "每个有误的值", None)


class Failure(Model):
    """What every refused request is answered."""

    success: Literal[False] = False
    error: ErrorDetail
    message: str = told("The same for people.", "供人阅读的原因")


def said(default: Any, en: str, zh: str, **limits: Any) -> Any:
    """A field of a request, described in both languages; `...` is no default."""
    return Field(default, description=en, json_schema_extra={"x-zh": zh}, **limits)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


#: At least one character that is no white space.
_PATTERN = r"\S"

Queue = Annotated[
    str, Field(min_length=1, max_length=MAX_QUEUE_CHARACTERS, pattern=_PATTERN), AfterValidator(_not_blank)
]
TaskId = Annotated[
    str, Field(min_length=1, max_length=MAX_ID_CHARACTERS, pattern=_PATTERN), AfterValidator(_not_blank)
]
Group = Annotated[str, Field(max_length=MAX_ID_CHARACTERS)]
State = TaskState
