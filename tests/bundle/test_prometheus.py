"""prometheus.yml: accepted by promtool as it lies, and with the guide's job."""

import re
import shutil
import subprocess
from pathlib import Path

import yaml

from asynq_exporter.web import web_config
from tests.bundle.rules import ROOT
from tests.conftest import need_tool

CONFIG = ROOT / "prometheus" / "prometheus.yml"


def test_promtool_accepts_it_with_everything_it_names(tmp_path: Path) -> None:
    """Rules, targets and all, as they lie in the repository or in the compose mounts."""
    shutil.copytree(ROOT / "prometheus", tmp_path / "prometheus")
    shutil.copytree(ROOT / "alerts" / "generated", tmp_path / "alerts" / "generated")
    shutil.copy(ROOT / "deploy" / "compose" / "targets" / "compose.yml", tmp_path / "prometheus" / "targets")

    done = subprocess.run(
        [need_tool("promtool"), "check", "config", str(tmp_path / "prometheus" / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr


def test_promtool_accepts_the_example_of_many_redis() -> None:
    """The jobs for service discovery, as they lie."""
    example = ROOT / "prometheus" / "http_sd.example.yml"
    done = subprocess.run(
        [need_tool("promtool"), "check", "config", str(example)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr


def test_job_is_that_of_the_guide() -> None:
    """`app-asynq` over https, /metrics, 15s and 10s, with its labels (guide 2.5)."""
    jobs = {job["job_name"]: job for job in yaml.safe_load(CONFIG.read_text("utf-8"))["scrape_configs"]}

    job = jobs["app-asynq"]
    assert ("https", "/metrics", "15s", "10s") == tuple(
        job[key] for key in ("scheme", "metrics_path", "scrape_interval", "scrape_timeout")
    )
    assert [{"targets": ["api.example.com"], "labels": {"env": "production", "app": "myapp"}}] == job[
        "static_configs"
    ]
    assert "asynq" in jobs


def test_rules_watch_every_job_of_the_exporter() -> None:
    """The selector of the mixin matches the jobs of this file."""
    rules = (ROOT / "alerts" / "generated" / "alerts.yaml").read_text("utf-8")
    (selector,) = set(re.findall(r'job=~"([^"]+)"', rules))

    for job in ("app-asynq", "asynq", "asynq-exporter"):
        assert re.fullmatch(selector, job)
    assert not re.fullmatch(selector, "prometheus")


def test_keys_exist_in_old_and_new_prometheus() -> None:
    """Nothing that 2.42 does not know, nothing that 3.x dropped."""
    text = CONFIG.read_text("utf-8")

    for key in (
        "api_version",
        "fallback_scrape_protocol",
        "scrape_classic_histograms",
        "scrape_config_files",
    ):
        assert f"{key}:" not in text


def test_example_of_the_web_configuration_is_sound() -> None:
    """The example is a file that the exporter itself accepts, but for its certificates."""
    loaded = web_config.load(ROOT / "prometheus" / "web-config.example.yml")

    assert loaded.tls_server_config is not None
    assert loaded.basic_auth_users
