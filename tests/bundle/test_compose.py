"""docker-compose.yml by its structure: there is no container engine where tests run."""

import re
from typing import Any

import pytest
import yaml

from asynq_exporter.settings import OPTIONS
from tests.bundle.rules import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
API: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose/api.yml").read_text("utf-8"))


def test_all_parts_are_there() -> None:
    """Exporter, Redis, Prometheus, Alertmanager, Grafana, and Asynqmon beside them."""
    assert {"asynq-exporter", "redis", "prometheus", "alertmanager", "grafana", "asynqmon"} == SERVICES.keys()


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_pinned_and_hardened(name: str) -> None:
    """A pinned image, no root, nothing writable but what is named, no capabilities, a health check."""
    service = SERVICES[name]

    assert re.search(r":v?\d+\.\d+(\.\d+)?[\w.-]*$", service["image"])
    assert not service["user"].startswith("0")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "healthcheck" in service
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_mounts_exist_and_are_read_only(name: str) -> None:
    """Every file or folder of the repository that is mounted exists, read-only."""
    for mount in SERVICES[name].get("volumes", ()):
        source, _, *mode = mount.split(":")
        if source.startswith("."):
            assert (ROOT / source).exists(), mount
            assert mode == ["ro"], mount
        else:
            assert source in COMPOSE["volumes"], mount


def test_secrets_are_files_that_exist() -> None:
    """Each secret that a service takes is declared, and its example lies in the repository."""
    taken = {secret for service in SERVICES.values() for secret in service.get("secrets", ())}

    assert taken == COMPOSE["secrets"].keys()
    for name, secret in COMPOSE["secrets"].items():
        path = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", secret["file"])
        assert (ROOT / path).is_file(), name


def test_exporter_is_set_by_options_that_exist() -> None:
    """Every ASYNQ_ variable of the exporter is one of its options."""
    environments = {option.environment for option in OPTIONS.values()}

    assert set() == SERVICES["asynq-exporter"]["environment"].keys() - environments


def test_paths_inside_fit_together() -> None:
    """Prometheus' relative paths, Grafana's provisioning and the dashboards meet where they are mounted."""
    prometheus = SERVICES["prometheus"]["volumes"]
    assert any(m.endswith("/etc/asynq/prometheus/prometheus.yml:ro") for m in prometheus)
    assert any("alerts/generated:/etc/asynq/alerts/generated" in m for m in prometheus)
    provider = yaml.safe_load((ROOT / "dashboards/provisioning/dashboards/asynq.yaml").read_text("utf-8"))
    path = provider["providers"][0]["options"]["path"]
    (mount,) = [m for m in SERVICES["grafana"]["volumes"] if "dashboards/generated" in m]
    inside = mount.split(":")[1]
    assert path.startswith(inside)
    assert (ROOT / "dashboards" / "generated" / path.removeprefix(inside).strip("/")).is_dir()


def test_no_token_of_the_management_api_is_shipped() -> None:
    """A token that everybody can read would be a key for everybody: as it comes, the API is off."""
    assert "token" not in str(SERVICES["asynq-exporter"]).lower()
    assert not (ROOT / "deploy/secrets/example/asynq_admin_token").exists()


def test_management_api_needs_a_token_of_the_user() -> None:
    """What turns it on fits the exporter, and without the file's name it says how to make one."""
    assert {"asynq-exporter"} == API["services"].keys()
    exporter = API["services"]["asynq-exporter"]
    assert exporter["secrets"] == list(API["secrets"])
    assert exporter["environment"]["ASYNQ_ADMIN_TOKEN_FILE"] == f"/run/secrets/{exporter['secrets'][0]}"
    assert set() == exporter["environment"].keys() - {option.environment for option in OPTIONS.values()}
    named = API["secrets"]["asynq_admin_token"]["file"]
    assert re.fullmatch(r"\$\{ASYNQ_ADMIN_TOKEN_FILE:\?[^${}]*deploy/compose/api\.yml[^${}]*\}", named)
