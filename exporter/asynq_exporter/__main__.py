"""Entry point of `python -m asynq_exporter`."""

from asynq_exporter.cli import main

if __name__ == "__main__":
    main()
