"""`assistant config token`: credentials of programs, each with what it may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import typer

from assistant.cli import help
from assistant.cli import shell as shells
from assistant.cli.exits import UsageProblem
from assistant.cli.help import Command
from assistant.cli.shell import Shell

if TYPE_CHECKING:
    from assistant.safety.tokens import Scope, Tokens

_SCOPES = ("program", "person")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = help.group()
    commands.command(cls=Command)(add)
    commands.command("list", cls=Command)(list_all)
    commands.command(cls=Command)(remove)
    app.add_typer(commands, name="token")


def add(
    context: typer.Context,
    name: str = typer.Argument(metavar="NAME"),
    scope: str = typer.Option("program", metavar="program|person"),
) -> None:
    """Make one."""
    shell = shells.of(context)
    if scope not in _SCOPES:
        raise UsageProblem("cli.no_scope", scope=scope)
    shell.paths.make()
    token = _tokens(shell).add(name, cast("Scope", scope), shell.clock.now())
    shell.note(shell.text("config.token.made", name=name, scope=scope))
    shell.line(token)


def list_all(context: typer.Context, as_json: bool = typer.Option(False, "--json")) -> None:
    """List them."""
    shell = shells.of(context)
    shell.as_json = as_json
    tokens = _tokens(shell).all()
    if as_json:
        shell.json({"items": [one.model_dump(mode="json", exclude={"sha256"}) for one in tokens]})
    elif tokens:
        rows = [(one.name, shell.text(f"config.token.scope.{one.scope}"), shell.moment(one.made_at)) for one in tokens]
        shell.table("config.token", ("name", "scope", "made"), rows)
    else:
        shell.say("config.token.none")


def remove(context: typer.Context, name: str = typer.Argument(metavar="NAME")) -> None:
    """Revoke one."""
    shell = shells.of(context)
    if not _tokens(shell).remove(name):
        raise UsageProblem("cli.no_token", name=name)
    shell.say("config.token.gone", name=name)


def _tokens(shell: Shell) -> Tokens:
    from assistant.safety.tokens import Tokens

    return Tokens(shell.paths.tokens)
