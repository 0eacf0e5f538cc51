"""Circuit breakers that the workers share through Redis (guide section 4.1)."""

from asynq_exporter.core import keys
from asynq_exporter.scan.commands import pack
from asynq_exporter.scan.pipe import Reply, ReplyError
from asynq_exporter.scan.snapshot import Breaker

#: One page is read, never the whole of a hash that someone filled.
PAGE = 1000

#: Scope and name become labels.
MAX_FIELD_CHARACTERS = 512

REQUEST = pack("HSCAN", keys.CIRCUIT_BREAKERS, 0, "COUNT", PAGE)


def read(reply: Reply) -> tuple[Breaker, ...]:
    """The breakers of one page: field `scope:name`, value beginning with the state.

    Raises:
        ValueError: the key holds something else.
    """
    if type(reply) is ReplyError:
        raise ValueError(f"{keys.CIRCUIT_BREAKERS}: {reply.text}")
    _, flat = reply
    fields = [raw.decode("utf-8", "backslashreplace") for raw in flat]
    breakers = []
    for field, value in zip(fields[::2], fields[1::2], strict=True):
        scope, separator, name = field.partition(":")
        state, _, _ = value.partition(" ")
        if not separator or not state or len(field) > MAX_FIELD_CHARACTERS:
            raise ValueError(f"{keys.CIRCUIT_BREAKERS}: field {field[:100]!r} is no breaker")
        breakers.append(Breaker(scope=scope, name=name, state=state))
    return tuple(sorted(breakers, key=lambda b: (b.scope, b.name)))
