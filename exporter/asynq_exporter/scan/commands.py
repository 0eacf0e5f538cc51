"""Request bytes: commands in the form Redis reads them, built once and sent many times."""

#: Stands for the Unix second of the scan in a prebuilt request; as long as the number that replaces it.
NOW = b"\xff\x00now.sec\xff"

#: Stands for the beginning of a window of time, likewise.
SINCE = b"\xff\x00since..\xff"


def pack(*words: str | bytes | int) -> bytes:
    """One command as bytes on the wire; text may carry raw bytes as surrogates."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        raw = word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape")
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


def fill(template: bytes, *, now: int, since: int = 0) -> bytes:
    """A prebuilt request with its times put in.

    Unix seconds have ten digits from 2001 to 2286, so the lengths in the template stay right.
    """
    return template.replace(NOW, b"%010d" % now).replace(SINCE, b"%010d" % max(since, 0))
