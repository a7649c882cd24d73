"""`assistant profile export|import|pause|resume|never|stats`: what is known carried away, and kept from growing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from assistant.cli import shell as shells
from assistant.cli.exits import UsageProblem
from assistant.cli.help import Command
from assistant.cli.shell import Shell

if TYPE_CHECKING:
    from assistant.client_profile import ProfileDoor

_FORMS = ("json", "markdown")


def add_to(commands: typer.Typer) -> None:
    """Add the commands to the group."""
    commands.command(cls=Command)(export)
    commands.command("import", cls=Command)(take)
    for function in (pause, resume, never, stats):
        commands.command(cls=Command)(function)


def tell_bounds(shell: Shell) -> None:
    """Say what keeps it from learning, where something does."""
    found = _asked(shell, lambda door: door.stats())
    if found["pause"]:
        _say_pause(shell, found["pause"])
    elif not found["learns"]:
        shell.say("profile.not_learning", style="yellow")
    if found["never"]:
        shell.say("profile.never", topics=found["never"])


def export(
    context: typer.Context,
    file: str = typer.Argument("", metavar="[FILE]"),
    form: str = typer.Option("json", "--format", metavar="json|markdown"),
) -> None:
    """Write it to a file, or to standard output."""
    shell = shells.of(context)
    if form not in _FORMS:
        raise UsageProblem("cli.no_form", form=form)
    if not file:
        typer.echo(_asked(shell, lambda door: door.text(form)), nl=False)
        return
    where = str(Path(file).expanduser().absolute())
    shell.say("profile.exported", file=_asked(shell, lambda door: door.export(form, where)))


def take(context: typer.Context, file: Path = typer.Argument(metavar="FILE")) -> None:
    """Read what was exported."""
    shell = shells.of(context)
    done = _asked(shell, lambda door: door.take(str(file.expanduser().absolute())))
    if not any(done.values()):
        shell.say("profile.import_nothing")
        return
    shell.say("profile.imported", count=done["added"], confirmed=done["confirmed"], superseded=done["superseded"])
    if done["left_out"]:
        shell.say("profile.left_out", count=done["left_out"], style="yellow")


def pause(context: typer.Context, until: str = typer.Option("", "--until", metavar="DATE")) -> None:
    """Learn nothing for a time."""
    from assistant.cli.profile import moment_of

    shell = shells.of(context)
    end = moment_of(until)
    _say_pause(shell, _asked(shell, lambda door: door.pause(end))["pause"])


def resume(context: typer.Context) -> None:
    """Learn again."""
    shell = shells.of(context)
    done = _asked(shell, lambda door: door.resume())
    shell.say("profile.learning" if done["learns"] else "profile.not_learning")


def never(
    context: typer.Context,
    topic: list[str] = typer.Argument(default_factory=list, metavar="[TOPIC…]"),
    off: bool = typer.Option(False, "--off"),
) -> None:
    """Learn nothing of a topic."""
    shell = shells.of(context)
    words = " ".join(topic)
    found = _asked(shell, lambda door: door.never(words, never=not off) if words else door.stats())
    shell.say("profile.never" if found["never"] else "profile.never_none", topics=found["never"])


def stats(context: typer.Context, as_json: bool = typer.Option(False, "--json")) -> None:
    """How much is known."""
    from assistant.memory.kinds import kinds

    shell = shells.of(context)
    shell.as_json = as_json
    found = _asked(shell, lambda door: door.stats())
    if as_json:
        shell.json(found)
        return
    shell.say("profile.count", count=found["facts"], past=found["past"], pinned=found["pinned"])
    if found["since"]:
        shell.say("profile.evidence", count=found["evidence"], since=datetime.fromisoformat(found["since"]))
    titles = kinds().titles
    for kind in (one for one in titles if one in found["kinds"]):
        shell.line(f"  {titles[kind][shell.language]}: {found['kinds'][kind]}")
    if found["exports"]:
        shell.say("profile.exports", files=found["exports"])
    tell_bounds(shell)


def _asked(shell: Shell, ask: Callable[[ProfileDoor], Awaitable[Any]]) -> Any:
    async def work() -> Any:
        async with shell.client() as client:
            return await ask(client.profile)

    return shell.run(work())


def _say_pause(shell: Shell, found: dict[str, Any]) -> None:
    if found["until"]:
        shell.say("profile.paused_until", until=datetime.fromisoformat(found["until"]), style="yellow")
    else:
        shell.say("profile.paused", style="yellow")
