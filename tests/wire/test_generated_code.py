"""The committed protobuf classes are those of asynq.proto."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = Path("asynq_exporter/core/proto")


@pytest.mark.parametrize("name", ["asynq_pb2.py", "asynq_pb2.pyi"])
def test_generating_again_changes_nothing(name: str, tmp_path: Path) -> None:
    """tools/generate_proto.sh gives what is committed."""
    pytest.importorskip("grpc_tools")
    pytest.importorskip("mypy_protobuf")
    subprocess.run(
        [ROOT / "tools" / "generate_proto.sh", tmp_path],
        env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"},
        check=True,
    )
    assert (tmp_path / FOLDER / name).read_text() == (ROOT / "exporter" / FOLDER / name).read_text()


def test_any_protobuf_runtime_may_load_it() -> None:
    """The classes are not tied to the protoc that made them: an older runtime would refuse, a newer warn."""
    assert "ValidateProtobufRuntimeVersion" not in (ROOT / "exporter" / FOLDER / "asynq_pb2.py").read_text()
