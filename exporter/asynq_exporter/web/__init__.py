"""HTTP: the metrics, the probes and the status page. aiohttp is imported only on this floor."""
