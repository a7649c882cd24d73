"""Commands of the contract whose part of the program is not there yet: they say so, and nothing else."""

from __future__ import annotations

import typer

from assistant.cli.exits import Absent
from assistant.cli.help import Command

COMMANDS = ("automations", "voice", "travel", "cloud", "tray")


def register(app: typer.Typer) -> None:
    """Add the commands; whatever follows their name gets the same answer."""
    for name in COMMANDS:
        app.command(
            name,
            cls=Command,
            rich_help_panel="later",
            context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        )(absent)


def absent(context: typer.Context) -> None:
    """Say that it is not there yet."""
    raise Absent(command=context.info_name)
