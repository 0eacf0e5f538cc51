"""Redis Cluster: every command goes to the node that holds its key, all nodes at the same time.

asynq puts the name of a queue in braces, so the keys of a queue lie in one slot (wire section 7) and its
commands stay together. A node that is lost answers each command with an error, so it costs what lies on it
and no more. Which node has which slot is asked anew after a node was lost or a key had moved.
"""

from asynq_exporter.scan.cluster.nodes import Cluster
from asynq_exporter.scan.cluster.route import ClusterRoute

__all__ = ["Cluster", "ClusterRoute"]
