"""`assistant outbox`: what is on its way to others, and what became of it."""

from __future__ import annotations

import typer

from assistant.cli import help
from assistant.cli import shell as shells
from assistant.cli.exits import ExitCode, UsageProblem
from assistant.cli.help import Command
from assistant.cli.shell import Shell
from assistant.models import Operation, Receipt


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = help.group()
    commands.command("list", cls=Command)(list_all)
    for function in (cancel, resolve):
        commands.command(cls=Command)(function)
    app.add_typer(commands, name="outbox", rich_help_panel="care")


def list_all(context: typer.Context, as_json: bool = typer.Option(False, "--json")) -> None:
    """List it."""
    from assistant.cli.render import show_operations

    shell = shells.of(context)
    shell.as_json = as_json

    async def work() -> list[Operation]:
        async with shell.client() as client:
            return await client.outbox()

    found = shell.run(work())
    if as_json:
        shell.json({"items": [operation.model_dump(mode="json") for operation in found]})
    elif not found:
        shell.say("outbox.none")
    else:
        show_operations(shell, found)


def cancel(context: typer.Context, operation: str = typer.Argument(metavar="ID")) -> None:
    """Undo one."""
    shell = shells.of(context)

    async def work() -> Receipt:
        async with shell.client() as client:
            return await client.cancel_operation(_whole(operation, await client.outbox()))

    _tell(shell, shell.run(work()))


def resolve(
    context: typer.Context,
    operation: str = typer.Argument(metavar="ID"),
    happened: bool = typer.Option(..., "--happened/--did-not-happen"),
) -> None:
    """Say what happened."""
    shell = shells.of(context)

    async def work() -> Receipt:
        async with shell.client() as client:
            return await client.resolve_operation(_whole(operation, await client.outbox()), happened=happened)

    _tell(shell, shell.run(work()))


def _whole(wanted: str, operations: list[Operation]) -> str:
    """The id that begins so; what fits none is left to the daemon to refuse. Raises UsageProblem where several fit."""
    fitting = [operation.id for operation in operations if operation.id.startswith(wanted)]
    if len(fitting) > 1 and wanted not in fitting:
        raise UsageProblem("cli.several", id=wanted)
    return fitting[0] if len(fitting) == 1 else wanted


def _tell(shell: Shell, receipt: Receipt) -> None:
    from assistant.cli.render import show_receipt

    show_receipt(shell, receipt)
    raise typer.Exit(ExitCode.FAILED if receipt.outcome == "failed" else ExitCode.OK)
