"""The Kubernetes manifests as kustomize builds them, and the schemas they have to obey."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import need_tool

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"

#: Go modules that the registry hands out: the program, and the resource definitions of Prometheus Operator.
KUSTOMIZE = Path(__file__).parent / "kustomize"
CRDS = Path(__file__).parent / "crds"
OPERATOR = "github.com/prometheus-operator/prometheus-operator"

# On a fresh machine its modules are downloaded and compiled.
BUILD_SECONDS = 900

Json = Any


@cache
def built(folder: Path = FOLDER) -> tuple[Json, ...]:
    """The resources of a kustomization."""
    done = _go(KUSTOMIZE, "tool", "kustomize", "build", str(folder))
    return tuple(yaml.load_all(done, Loader=yaml.CSafeLoader))


def one(kind: str, *, folder: Path = FOLDER) -> Json:
    """The only resource of a kind."""
    (found,) = [resource for resource in built(folder) if resource["kind"] == kind]
    return found


@cache
def operator_schema(kind: str) -> Json:
    """The JSON schema of a resource of Prometheus Operator, which forbids keys it does not know."""
    version = _go(CRDS, "list", "-m", "-f", "{{.Version}}", OPERATOR).strip()
    folder = Path(json.loads(_go(CRDS, "mod", "download", "-json", f"{OPERATOR}@{version}"))["Dir"])
    name = f"monitoring.coreos.com_{kind.lower()}s.yaml"
    text = (folder / "example" / "prometheus-operator-crd" / name).read_text("utf-8")
    definition = yaml.load(text, Loader=yaml.CSafeLoader)
    return closed(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"], top=True)


def closed(schema: Json, *, top: bool = False) -> Json:
    """A Kubernetes schema as plain JSON schema: unknown keys are errors; metadata is not its business."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(part) for key, part in schema.items()}
    if schema.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
    if "pattern" in schema and isinstance(schema["pattern"], str):
        # Go takes flags anywhere, Python at the beginning only.
        made["pattern"] = schema["pattern"].replace("^(?i)", "(?i)^")
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        made["additionalProperties"] = False
    if top:
        made["properties"]["metadata"] = {"type": "object"}
    return made


def _go(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        [need_tool("go"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=BUILD_SECONDS,
    ).stdout
