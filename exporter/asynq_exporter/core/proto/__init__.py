"""The protobuf messages of asynq; `tools/generate_proto.sh` makes the classes from `asynq.proto`."""
