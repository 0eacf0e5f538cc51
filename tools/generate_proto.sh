#!/bin/sh
# Generates asynq_pb2.py and asynq_pb2.pyi from asynq.proto.
# Needs grpcio-tools and mypy-protobuf in the environment of $PYTHON; $1 is another output folder (for the test).
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
scripts=$("$python" -c 'import sysconfig; print(sysconfig.get_path("scripts"))')
out=${1:-$root/exporter}
generated=$out/asynq_exporter/core/proto/asynq_pb2.py

"$python" -m grpc_tools.protoc -I "$root/exporter" \
    --plugin=protoc-gen-mypy="$scripts/protoc-gen-mypy" \
    --python_out="$out" --mypy_out=quiet:"$out" \
    "$root/exporter/asynq_exporter/core/proto/asynq.proto"

# The version check would tie every user to this machine's protoc: an older runtime refuses, a newer one warns. The rest of
# the file is a descriptor and three calls that are the same from protobuf 6.31 to 7.
sed -i.bak \
    -e '/^_runtime_version\.ValidateProtobufRuntimeVersion(/,/^)/d' \
    -e '/ import runtime_version as /d' \
    -e '/^# Protobuf Python Version: /d' \
    "$generated"
rm "$generated.bak"
