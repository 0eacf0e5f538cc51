"""Small text files that people write: read at once, and refused when they cannot be what was meant."""

import os
import stat
from pathlib import Path


class TextFileError(ValueError):
    """A file cannot be used; the sentence names it."""


def read(path: Path, *, max_bytes: int) -> str:
    """The text in a file; raises TextFileError."""
    try:
        with os.fdopen(_open(path), "rb") as file:
            raw = file.read(max_bytes + 1)
    except OSError as exc:
        raise TextFileError(f"cannot read {path}: {exc.strerror}") from exc
    if len(raw) > max_bytes:
        raise TextFileError(f"{path} is larger than {max_bytes // 1024} KiB; is it the right file?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        raise TextFileError(f"{path}:{line}: is not UTF-8 text") from exc


def stamp(path: Path) -> tuple[int, int]:
    """Time of change and size of a file that can be read; raises TextFileError."""
    try:
        descriptor = _open(path)
        try:
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as exc:
        raise TextFileError(f"cannot read {path}: {exc.strerror}") from exc
    return status.st_mtime_ns, status.st_size


def _open(path: Path) -> int:
    # Without O_NONBLOCK a pipe would wait for somebody to write into it, for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise TextFileError(f"cannot read {path}: Is a directory")
        raise TextFileError(f"cannot read {path}: it is a pipe or a device, not a file")
    return descriptor
