"""The Kubernetes manifests: as kustomize builds them, valid by the official schemas, and hardened."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from asynq_exporter import __version__
from asynq_exporter.settings import OPTIONS
from tests.bundle import rules
from tests.deploy.manifests import ROOT, Json, built, one, operator_schema

#: The oldest Kubernetes that the schemas still know, and the newest.
VERSIONS = (utils.all_versions()[0], utils.latest_version())

#: A ConfigMap may hold 1 MiB, but `kubectl apply` repeats it in an annotation that holds this much.
MAX_APPLIED_BYTES = 262_144

OPERATORS = ("PrometheusRule", "ServiceMonitor")


def validate(resource: Json) -> None:
    """Raises when a resource does not obey its schema or has keys that it does not know."""
    if resource["kind"] in OPERATORS:
        jsonschema.validate(resource, operator_schema(resource["kind"]))
    else:
        for version in VERSIONS:
            kubernetes_validate.validate(resource, version, strict=True)


def container() -> Json:
    """The exporter's container."""
    (only,) = one("Deployment")["spec"]["template"]["spec"]["containers"]
    return only


def test_every_resource_is_valid() -> None:
    """By the schemas of the oldest and the newest Kubernetes, and by those of Prometheus Operator."""
    for resource in built():
        validate(resource)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "replicas"), "one"),
        ("Deployment", ("spec", "replica"), 1),
        ("Service", ("spec", "port"), 9876),
        ("ServiceMonitor", ("spec", "endpoint"), []),
        ("ServiceMonitor", ("spec", "sampleLimit"), "many"),
        ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "fore"), "5m"),
        ("PrometheusRule", ("spec", "groups", 0, "interval"), "soon"),
    ],
)
def test_schemas_find_mistakes(kind: str, path: tuple[Any, ...], value: object) -> None:
    """What the validation is worth: a wrong type and a misspelt key are found."""
    broken = copy.deepcopy(one(kind))
    place = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value

    with pytest.raises(jsonschema.ValidationError):
        validate(broken)


def test_pod_may_nothing() -> None:
    """No root, no capabilities, no way to more, nothing writable, the runtime's system calls, no token."""
    pod = one("Deployment")["spec"]["template"]["spec"]
    inside = container()["securityContext"]

    assert pod["automountServiceAccountToken"] is False
    assert one("ServiceAccount")["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert {"type": "RuntimeDefault"} == pod["securityContext"]["seccompProfile"]
    assert {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    } == inside
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & pod.keys()
    assert {"secret"} == {key for volume in pod["volumes"] for key in volume} - {"name"}
    assert all(mount["readOnly"] for mount in container()["volumeMounts"])
    assert {"memory", "ephemeral-storage"} == container()["resources"]["limits"].keys()


def test_user_is_that_of_the_image() -> None:
    """The numbers in the manifest are those of the Dockerfile, or the password could not be read."""
    security = one("Deployment")["spec"]["template"]["spec"]["securityContext"]
    user = f"USER {security['runAsUser']}:{security['runAsGroup']}"

    assert user in (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    assert security["fsGroup"] == security["runAsGroup"]
    assert f"asynq-exporter:{__version__}" == container()["image"]


def test_options_exist_and_hold_no_password() -> None:
    """Every ASYNQ_ variable is an option; the password is a file out of a Secret."""
    environment = {variable["name"]: variable["value"] for variable in container()["env"]}
    (mount,) = container()["volumeMounts"]
    (volume,) = one("Deployment")["spec"]["template"]["spec"]["volumes"]
    (item,) = volume["secret"]["items"]

    assert set() == environment.keys() - {option.environment for option in OPTIONS.values()}
    assert "ASYNQ_REDIS_PASSWORD" not in environment
    assert environment["ASYNQ_REDIS_PASSWORD_FILE"] == f"{mount['mountPath']}/{item['path']}"
    assert not volume["secret"]["defaultMode"] & 0o007
    assert not [resource for resource in built() if resource["kind"] == "Secret"]


def test_parts_find_each_other() -> None:
    """Service, network policy and service monitor choose the pods and ports that there are."""
    labels = one("Deployment")["spec"]["template"]["metadata"]["labels"]
    (port,) = container()["ports"]
    service = one("Service")
    monitor = one("ServiceMonitor")["spec"]
    policy = one("NetworkPolicy")["spec"]

    assert service["spec"]["selector"].items() <= labels.items()
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert (port["name"], port["containerPort"]) == ("http", 9876)
    assert "http" == service["spec"]["ports"][0]["targetPort"] == service["spec"]["ports"][0]["name"]
    assert "http" == monitor["endpoints"][0]["port"] == policy["ingress"][0]["ports"][0]["port"]
    assert "http" == container()["livenessProbe"]["httpGet"]["port"]
    assert {"Ingress", "Egress"} == set(policy["policyTypes"])


def test_job_is_one_that_the_alerts_watch() -> None:
    """Prometheus Operator calls the job like the service."""
    watched = json.dumps(rules.groups("alerts"))

    assert "asynq-exporter" == one("Service")["metadata"]["name"]
    assert 'job=~\\"(app-)?asynq(-exporter)?\\"' in watched


def test_rules_are_those_of_the_bundle() -> None:
    """The resource holds the same groups as the rule files, in one place."""
    assert [*rules.groups("alerts"), *rules.groups("rules")] == one("PrometheusRule")["spec"]["groups"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_dashboard_is_a_config_map(language: str) -> None:
    """One each, byte for byte, small enough for `kubectl apply`, and where Grafana's sidecar looks."""
    folder = ROOT / "dashboards" / "generated" / language
    maps = [resource for resource in built(folder) if resource["kind"] == "ConfigMap"]

    shown = {name: text for each in maps for name, text in each["data"].items()}
    assert {path.name: path.read_text("utf-8") for path in folder.glob("*.json")} == shown
    for each in maps:
        validate(each)
        assert "1" == each["metadata"]["labels"]["grafana_dashboard"]
        assert len(json.dumps(each, ensure_ascii=False).encode()) < MAX_APPLIED_BYTES


def test_overlay_of_the_readme_builds(tmp_path: Path) -> None:
    """What the page says to write works."""
    text = (ROOT / "deploy" / "kubernetes" / "README.md").read_text("utf-8")
    _, block = text.split("```yaml\n", 1)
    overlay = yaml.safe_load(block.split("```")[0])
    # kustomize takes relative folders only.
    here = Path(*[".."] * len(tmp_path.resolve().parts[1:]), *ROOT.parts[1:])
    overlay["resources"] = [str(here / "deploy" / "kubernetes")]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))

    resources = built(tmp_path)

    (deployment,) = [resource for resource in resources if resource["kind"] == "Deployment"]
    (variables,) = [each["env"] for each in deployment["spec"]["template"]["spec"]["containers"]]
    assert {"shop"} == {resource["metadata"]["namespace"] for resource in resources}
    assert {"name": "ASYNQ_REDIS_URL", "value": "redis://redis.shop:6379/0"} in variables
    for resource in resources:
        validate(resource)
