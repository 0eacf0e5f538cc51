"""The command line: the only package that reads argv and environ. A command, a file.

Every option of `Settings` becomes a flag here. Whatever goes wrong is one line on standard error that ends
with the remedy: exit code 2 for usage and configuration, 1 for a start that failed. Imports inside functions
save start-up time: aiohttp and pydantic take long, and not every command needs them.
"""

from asynq_exporter.cli.commands import main, program

__all__ = ["main", "program"]
