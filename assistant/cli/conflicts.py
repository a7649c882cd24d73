"""`assistant account conflicts` and `settle`: what was changed here and on the server at once, and what shall count."""

from __future__ import annotations

from datetime import datetime
from typing import cast

import typer

from assistant.cli import shell as shells
from assistant.cli.exits import UsageProblem
from assistant.cli.help import Command


def register(commands: typer.Typer) -> None:
    """Add the commands to those of `assistant account`."""
    commands.command("conflicts", cls=Command)(show)
    commands.command("settle", cls=Command)(choose)


def show(
    context: typer.Context,
    account: str = typer.Argument("", metavar="NAME"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """List them with what differs."""
    from assistant.dav.conflicts import open_conflicts

    shell = shells.of(context)
    shell.as_json = as_json
    found = open_conflicts(shell.paths.data, account)
    if as_json:
        items = [
            {
                "id": one.id,
                "place": one.place,
                "title": one.title,
                "reason": one.kept.reason,
                "at": one.kept.at,
                "differences": [dict(zip(("name", "ours", "theirs"), row, strict=True)) for row in one.differences()],
            }
            for one in found
        ]
        shell.json({"items": items})
        return
    if not found:
        shell.say("conflicts.none")
        return
    for one in found:
        at = shell.moment(datetime.fromisoformat(one.kept.at))
        title = one.title or shell.catalogue.text(shell.language, "dav.untitled")
        shell.line(f"{one.id}  {at}  {one.place}: {title}", style="bold")
        sentence = f"dav.{one.kept.reason}"
        shell.line(shell.catalogue.text(shell.language, sentence, title=title, place=one.place))
        nothing = shell.text("conflicts.nothing")
        rows = [(name, ours or nothing, theirs or nothing) for name, ours, theirs in one.differences()]
        if one.kept.ours is not None and one.kept.theirs is not None and rows:
            shell.table("conflicts", ("property", "ours", "theirs"), rows)
        shell.line("")
    shell.note(shell.text("conflicts.choose"))


def choose(
    context: typer.Context,
    number: str = typer.Argument(metavar="ID"),
    ours: bool = typer.Option(False, "--ours"),
    theirs: bool = typer.Option(False, "--theirs"),
    both: bool = typer.Option(False, "--both"),
) -> None:
    """Settle one."""
    from assistant.dav.conflicts import Choice, settle

    shell = shells.of(context)
    chosen = [name for name, wanted in (("ours", ours), ("theirs", theirs), ("both", both)) if wanted]
    if len(chosen) != 1:
        raise UsageProblem("cli.settle_how")
    one = settle(shell.paths.data, number, cast(Choice, chosen[0]))
    shell.say(f"conflicts.settled_{chosen[0]}", title=one.title, style="green")
