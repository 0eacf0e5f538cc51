"""What makes a shell complete commands, options and their values."""

from collections.abc import Callable

import click
from click.shell_completion import CompletionItem, get_completion_class

from asynq_exporter.settings.options import Option

SHELLS = ("bash", "zsh", "fish")

Suggest = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def script(program: click.Command, shell: str, *, name: str) -> str:
    """What a shell has to read; it asks the program itself, so a new version brings its own words."""
    # Click listens to a variable of this name.
    variable = f"_{name}_complete".replace("-", "_").upper()
    make = get_completion_class(shell)
    return "" if make is None else make(program, {}, name, variable).source()


def values_of(each: Option) -> Suggest:
    """What may follow a flag: a file, or one of its few words."""

    def suggest(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        if each.kind.is_path:
            return [CompletionItem(incomplete, type="file")]
        words = each.kind.metavar.split("|")
        return begun(incomplete, words if len(words) > 1 else [])

    return suggest


def begun(incomplete: str, words: "list[str]") -> list[CompletionItem]:
    """The words that begin like what is typed."""
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]
