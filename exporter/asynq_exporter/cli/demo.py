"""asynq-exporter demo."""

import logging
from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from asynq_exporter import completion, logs
from asynq_exporter.cli.command import Command
from asynq_exporter.cli.configured import configure
from asynq_exporter.cli.options import OF_THE_DEMO


class Demo(Command):
    """The demo, which lists its scenarios in the help."""

    def further(self) -> Mapping[str, Mapping[str, str]]:
        """The scenarios with what happens in them."""
        return {"Scenarios": _scenarios()}


class Scenario(click.ParamType[str]):
    """The name of a scenario of the demo."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, if there is such a scenario."""
        names = _scenarios()
        if value not in names:
            self.fail(f"no scenario {value!r}; write one of {', '.join(names)}", param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Those that begin like what is typed."""
        return completion.begun(incomplete, list(_scenarios()))


@click.command("demo", cls=Demo, settings=OF_THE_DEMO, short_help="Show the exporter on a living workload.")
@click.option("--scenario", type=Scenario(), default="normal", show_default=True, help="What is to happen.")
def demo(scenario: str, **values: Any) -> int:
    """Show the exporter on a living workload; needs nothing, leaves nothing.

    Brings its own Redis, a few worker processes and six busy queues, and prints
    where to look.
    """
    from asynq_exporter import demo as show  # noqa: PLC0415

    resolved, _ = configure(values, of=OF_THE_DEMO)
    logs.configure(level=resolved.settings.log_level, form=resolved.settings.log_format)
    if resolved.settings.log_level == "info":
        # A line for each task of the workload, dozens a second, would bury what the exporter says.
        logging.getLogger("asynq_exporter.core").setLevel(logging.WARNING)
    return show.run(resolved.settings, scenario=scenario)


def _scenarios() -> Mapping[str, str]:
    from asynq_exporter.demo import scenarios  # noqa: PLC0415

    return {name: scenario.summary for name, scenario in scenarios.TABLE.items()}
