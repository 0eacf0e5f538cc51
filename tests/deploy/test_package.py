"""Wheel and sdist: they hold the whole package and nothing else, and run without the checkout."""

import json
import os
import subprocess
import sys
import tarfile
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from asynq_exporter import __version__
from tests.conftest import RedisServer, free_port, wait_until
from tests.processes import running

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "exporter" / "asynq_exporter"

#: Dependencies come from a registry, on a machine that has a lot to do.
INSTALL_SECONDS = 900

#: What the environment of the tests must not lend to the installed program.
LENT = ("PYTHONPATH", "VIRTUAL_ENV", "ASYNQ_")

#: Runs in the installed package: every resource that is read at run time is read.
RESOURCES = """
import asyncio, sys
from asynq_exporter.core import catalog
from asynq_exporter.core.records.database import Database
from asynq_exporter.web import status
from asynq_exporter.web.api import page

assert "site-packages" in catalog.__file__, catalog.__file__
catalog.documented()
status._template(); status.html.texts("asynq_exporter.web")
page._template(); page.texts()

async def main():
    database = Database(f"sqlite:///{sys.argv[1]}")
    await database.upgrade()
    await database.close()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel that was made of it."""
    folder = tmp_path_factory.mktemp("dist")
    build(ROOT, folder)
    return folder


def build(source: Path, folder: Path, *kinds: str) -> None:
    """Builds with the tools that are installed: nothing is downloaded."""
    command = [sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
    assert 0 == done.returncode, done.stdout + done.stderr


def wheel_in(folder: Path) -> Path:
    """The only wheel of a folder."""
    (wheel,) = folder.glob("*.whl")
    return wheel


def contents(wheel: Path) -> dict[str, bytes]:
    """Name -> bytes of every file in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment that has the wheel, and of its dependencies only wheels."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
    pinned = ["--constraint", str(ROOT / "constraints.txt"), "--only-binary", ":all:"]
    done = subprocess.run(
        [*pip, *pinned, str(wheel_in(built))],
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_SECONDS,
    )
    assert 0 == done.returncode, done.stderr
    return folder / "bin"


def run(*command: str | Path, cwd: Path) -> str:
    """What a program of the clean environment prints."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith(LENT)}
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout


def test_wheel_holds_the_package(built: Path) -> None:
    """Every file under version control, byte for byte: Lua, SQL, JSON, templates, py.typed; no more."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "."],
        cwd=PACKAGE,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    expected = {f"asynq_exporter/{name}": (PACKAGE / name).read_bytes() for name in listed}

    found = {name: data for name, data in contents(wheel_in(built)).items() if ".dist-info/" not in name}
    page = found.pop(f"asynq_exporter-{__version__}.data/data/share/man/man1/asynq-exporter.1")

    assert (ROOT / "exporter" / "man" / "asynq-exporter.1").read_bytes() == page
    assert expected.keys() == found.keys()
    assert expected == found
    assert {"py.typed", "core/catalog.json", "web/templates/status.html"} <= set(listed)


def test_wheel_says_what_it_is(built: Path) -> None:
    """Name, version, licence, Python and the command."""
    files = contents(wheel_in(built))
    info = f"asynq_exporter-{__version__}.dist-info"
    metadata = files[f"{info}/METADATA"].decode()

    for line in (
        "Name: asynq-exporter",
        f"Version: {__version__}",
        "License-Expression: MIT",
        "Typing :: Typed",
    ):
        assert line in metadata
    assert b"asynq-exporter = asynq_exporter.cli:main" in files[f"{info}/entry_points.txt"]
    assert f"{info}/licenses/LICENSE" in files
    assert wheel_in(built).name.endswith("-py3-none-any.whl")


def test_sdist_makes_the_same_wheel(built: Path, tmp_path: Path) -> None:
    """`build` made the wheel of the sdist; the checkout makes the same one, and the sdist holds no tests."""
    build(ROOT, tmp_path, "--wheel")
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert contents(wheel_in(tmp_path)) == contents(wheel_in(built))
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "PKG-INFO"} <= names
    assert not [name for name in names if name.startswith(("tests", "deploy", "docs", ".venv"))]


def test_command_is_installed(installed: Path, tmp_path: Path) -> None:
    """It tells its version and options, from outside of the checkout; its manual page is where man looks."""
    assert f"asynq-exporter, version {__version__}\n" == run(
        installed / "asynq-exporter", "--version", cwd=tmp_path
    )
    assert "--redis.url" in run(installed / "asynq-exporter", "serve", "--help", cwd=tmp_path)
    assert "backlog" in run(installed / "asynq-exporter", "demo", "--help", cwd=tmp_path)
    assert (installed.parent / "share" / "man" / "man1" / "asynq-exporter.1").exists()


def test_resources_are_installed(installed: Path, tmp_path: Path) -> None:
    """Catalogue, template and texts load, and the migrations make a database."""
    run(installed / "python", "-c", RESOURCES, tmp_path / "records.db", cwd=tmp_path)

    assert (tmp_path / "records.db").stat().st_size


def test_installed_exporter_serves(
    installed: Path, tmp_path: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics and the status page of a real Redis."""
    for name in [name for name in os.environ if name.startswith(LENT)]:
        monkeypatch.delenv(name)
    port = free_port()
    options = [f"--web.listen-address=127.0.0.1:{port}", f"--redis.url={redis_server.url}"]
    with running([str(installed / "asynq-exporter"), "serve", *options], tmp_path / "log") as alive:
        wait_until(lambda: alive() and fetch(port, "/-/healthy"), what="it serves")

        assert "\nasynq_up 1.0\n" in fetch(port, "/metrics")
        assert "<table role=" in fetch(port, "/")


def test_bill_of_materials_is_complete(installed: Path, tmp_path: Path) -> None:
    """Every distribution of an installation, in the pinned version, and no path of this machine."""
    bill = tmp_path / "sbom.cdx.json"
    run(ROOT / "tools" / "materials.sh", "sbom", bill, installed / "python", cwd=tmp_path)
    listing = "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"

    listed = {each["name"]: each["version"] for each in json.loads(bill.read_text("utf-8"))["components"]}

    assert set(run(installed / "python", "-c", listing, cwd=tmp_path).split()) == {*listed, "asynq-exporter"}
    assert {f"{name}=={version}" for name, version in listed.items()} <= set(
        (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    )
    assert str(tmp_path.parent) not in bill.read_text("utf-8")


def fetch(port: int, path: str) -> str:
    """A page; empty while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            text: str = answer.read().decode()
            return text
    except OSError:
        return ""
