"""The program: its commands, and how it ends."""

import sys
from typing import NoReturn

import click

from asynq_exporter import __version__, completion
from asynq_exporter.cli.command import CONTEXT
from asynq_exporter.cli.config import config
from asynq_exporter.cli.demo import demo
from asynq_exporter.cli.doctor import doctor
from asynq_exporter.cli.output import PROGRAM, START_ERROR, USAGE_ERROR, fail
from asynq_exporter.cli.poll import poll
from asynq_exporter.cli.records import migrate, records
from asynq_exporter.cli.serve import serve
from asynq_exporter.cli.worker import worker
from asynq_exporter.settings import SettingsError, StartupError


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name=PROGRAM)
def program() -> None:
    """Watches the Asynq task queues in a Redis and tells Prometheus.

    Start with `asynq-exporter serve --redis.url redis://HOST:6379/0`, or see it at work with
    `asynq-exporter demo`.
    """


@program.command("completion", short_help="Print what makes a shell complete commands and options.")
@click.argument("shell", type=click.Choice(completion.SHELLS))
def complete(shell: str) -> int:
    """Print what makes a SHELL complete commands, options and their values.

    \b
    bash  asynq-exporter completion bash > /etc/bash_completion.d/asynq-exporter
    zsh   asynq-exporter completion zsh > "${fpath[1]}/_asynq-exporter"
    fish  asynq-exporter completion fish > ~/.config/fish/completions/asynq-exporter.fish
    """  # noqa: D301 -- click keeps the lines of what stands below a backspace
    click.echo(completion.script(program, shell, name=PROGRAM))
    return 0


for command in (serve, worker, poll, migrate, records, demo, doctor, config):
    program.add_command(command)


def main() -> NoReturn:
    """Runs the command line; ends the process."""
    try:
        code = program.main(prog_name=PROGRAM, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as exc:
        click.echo(exc.ctx.get_help() if exc.ctx else "", err=True)
        code = USAGE_ERROR
    except click.ClickException as exc:
        where = exc.ctx.command_path if isinstance(exc, click.UsageError) and exc.ctx else PROGRAM
        sentence = exc.format_message().rstrip(".")
        code = fail(f"{sentence}{' See' if sentence[-1:] == '?' else '; see'} {where} --help", USAGE_ERROR)
    except SettingsError as exc:
        code = fail(str(exc), USAGE_ERROR)
    except StartupError as exc:
        code = fail(str(exc), START_ERROR)
    except OSError as exc:  # as when the disk that standard output goes to is full
        code = fail(f"cannot go on: {exc}", START_ERROR)
    except (KeyboardInterrupt, click.Abort):
        code = 130  # as a shell reports SIGINT
    sys.exit(code or 0)
