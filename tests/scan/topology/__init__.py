"""Tests of the topology part: Redis behind Sentinel, in a cluster, of other makes."""
