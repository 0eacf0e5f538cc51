"""A client of a Redis Cluster in the place of that of a single Redis (wire section 7).

    redis = ClusterClient([("10.0.0.1", 6379), ("10.0.0.2", 6379)])
    await Client(redis).enqueue(Task("email:send", b"{}"))

It is made of redis-py's clients, one for each node. Of redis-py's own client of a cluster three things forbid
the use here: ASKING and the command behind it may take two connections, and then a queue whose slot is on its
way cannot be reached; a pipeline learns of a new master only by sending everything again that answered
nothing or zero; and a master that is gone for a moment closes the connections of all callers to all nodes.
"""

from asynq_exporter.core.cluster.client import ClusterClient, masters
from asynq_exporter.core.cluster.slots import Address

__all__ = ["Address", "ClusterClient", "masters"]
