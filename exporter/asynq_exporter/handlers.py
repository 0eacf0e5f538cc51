"""Finds the handler that a user names as MODULE:ATTRIBUTE."""

import importlib
import inspect
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from asynq_exporter.core.worker import Handler
from asynq_exporter.settings import SettingsError
from asynq_exporter.settings.spelling import suggestion


def load(
    target: str, *, folder: Path | None = None, kind: str = "a Mux, or an `async def` of an attempt"
) -> Handler:
    """The handler of a name such as `tasks:mux`; the module is of a folder, the working one, or installed.

    `kind` is what should be there, in words.

    Raises:
        SettingsError: there is none, with the remedy.
    """
    name, separator, path = target.partition(":")
    parts = path.split(".")
    if not separator or not all(part.isidentifier() for part in (*name.split("."), *parts)):
        raise SettingsError(f"{target!r} names no handler; write MODULE:ATTRIBUTE, as in tasks:mux")
    found: Any = _module(name, folder or Path.cwd())
    for i, part in enumerate(parts):
        if not hasattr(found, part):
            where = ".".join((name, *parts[:i]))
            meant = suggestion(part, [other for other in dir(found) if not other.startswith("_")])
            raise SettingsError(f"{where} has no {part!r}{meant or '; define it there'}")
        found = getattr(found, part)
    if not any(map(inspect.iscoroutinefunction, (found, type(found).__call__))):
        raise SettingsError(f"{target} is a {type(found).__name__} that is not async; give {kind}")
    return cast("Handler", found)


def _module(name: str, folder: Path) -> ModuleType:
    if str(folder) not in sys.path:
        # An installed program does not look into the working directory by itself.
        sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is not None and f"{name}.".startswith(f"{exc.name}."):
            remedy = "change into the folder of the module, or install it"
            raise SettingsError(f"no module {exc.name!r} in {folder} or installed; {remedy}") from exc
        raise SettingsError(f"module {name} cannot be imported: {exc}; install what it needs") from exc
    except (Exception, SystemExit) as exc:
        # Whatever a module does when it is imported; where is more help than which error.
        frame = traceback.extract_tb(exc.__traceback__)[-1]
        line = exc.lineno if isinstance(exc, SyntaxError) and exc.lineno else frame.lineno
        file = exc.filename if isinstance(exc, SyntaxError) and exc.filename else frame.filename
        text = exc.msg if isinstance(exc, SyntaxError) else str(exc)
        raise SettingsError(
            f"module {name} cannot be imported: {file}:{line}: {type(exc).__name__}: {text}; repair it"
        ) from exc
