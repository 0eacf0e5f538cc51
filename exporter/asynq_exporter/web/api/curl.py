"""Examples of requests, as the guide writes them."""

import json
from urllib.parse import quote, urlencode

from asynq_exporter.web.api.endpoint import Endpoint
from asynq_exporter.web.api.fields import example_values
from asynq_exporter.web.api.paths import PREFIX


def example(endpoint: Endpoint, *, base: str = "http://localhost:9876") -> str:
    """A curl command for an endpoint."""
    values = example_values(endpoint)
    path = endpoint.path
    for name in endpoint.path_names:
        path = path.replace(f"{{{name}}}", quote(values.pop(name), safe=":"))
    method = "" if endpoint.method == "GET" else f"-X {endpoint.method} "
    lines = [f'curl {method}-H "Authorization: Bearer <token>"']
    url = f"{base}{PREFIX}{path}"
    if endpoint.has_body:
        body = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
        lines += ['-H "Content-Type: application/json"', f"-d '{body}'", url]
    else:
        query = urlencode({name: _text(value) for name, value in values.items()}, safe=":")
        lines.append(f'"{url}?{query}"' if query else url)
    return " \\\n  ".join(lines)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
