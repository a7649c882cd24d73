"""`assistant profile`: who the user is by their own file, and what was learned of them; all of it in their hands."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from assistant.cli import help, profile_hands
from assistant.cli import shell as shells
from assistant.cli.exits import UsageProblem
from assistant.cli.help import Command
from assistant.cli.shell import Shell

if TYPE_CHECKING:
    from assistant.models import UserContext


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = help.group()
    for function in (show, edit, why, pin, forget, history, undo, tidy):
        commands.command(cls=Command)(function)
    profile_hands.add_to(commands)
    app.add_typer(commands, name="profile", rich_help_panel="setup")


def show(
    context: typer.Context,
    as_of: str = typer.Option("", "--as-of", metavar="DATE"),
    everything: bool = typer.Option(False, "--all"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Show it."""
    from assistant.cli.userfile import read_user

    shell = shells.of(context)
    shell.as_json = as_json
    file = shell.paths.profile_file
    user = read_user(file)[0] if file.exists() else None
    facts = _learned(shell, moment_of(as_of), everything)
    habits = _habits(shell) if facts is not None and not as_of else []
    if as_json:
        shell.json((user.model_dump(mode="json") if user else {}) | {"facts": facts, "habits": habits})
        return
    if user is not None:
        _show_file(shell, user)
        shell.note(str(file))
    else:
        shell.say("profile.none", file=file)
    shell.line("")
    if facts == []:
        shell.say("profile.nothing_learned")
    for fact in facts or ():
        shell.line(f"{fact['id'][:6]}  {fact['told']}{_state(shell, fact)}")
    if habits:
        shell.line("")
        shell.say("profile.habits")
    for habit in habits:
        shell.line(f"{habit['id'][:6]}  {habit['told']}")
    if facts is not None:
        profile_hands.tell_bounds(shell)


def why(
    context: typer.Context, fact: str = typer.Argument(metavar="ID"), as_json: bool = typer.Option(False, "--json")
) -> None:
    """Show the words that state it."""
    shell = shells.of(context)
    shell.as_json = as_json

    async def work() -> dict[str, Any]:
        async with shell.client() as client:
            return await client.profile.why(_whole(fact, await client.profile.facts(history=True)))

    found = shell.run(work())
    if as_json:
        shell.json(found)
        return
    shell.line(found["fact"]["told"] + _state(shell, found["fact"]))
    for said in found["evidence"]:
        shell.say("profile.said", at=datetime.fromisoformat(said["at"]), text=said["text"])


def pin(
    context: typer.Context,
    fact: str = typer.Argument(metavar="ID"),
    off: bool = typer.Option(False, "--off"),
) -> None:
    """Keep it in sight."""
    shell = shells.of(context)

    async def work() -> dict[str, Any]:
        async with shell.client() as client:
            known = await client.profile.facts(history=True)
            return await client.profile.pin(_whole(fact, known), pinned=not off)

    shell.say("profile.unpinned" if off else "profile.pinned", fact=shell.run(work())["told"])


def forget(
    context: typer.Context,
    facts: list[str] = typer.Argument(default_factory=list, metavar="[ID…]"),
    everything: bool = typer.Option(False, "--all"),
    yes: bool = typer.Option(False, "--yes"),
) -> None:
    """Forget it for good."""
    shell = shells.of(context)
    if bool(facts) == everything:
        raise UsageProblem("cli.forget_what")
    if everything and not yes and not shell.confirm("profile.forget_all"):
        return

    async def work() -> tuple[int, list[str]]:
        async with shell.client() as client:
            habits = {str(one["id"]): one for one in await client.profile.habits()}
            known = [*await client.profile.facts(history=True), *habits.values()]
            wanted = [str(one["id"]) for one in known] if everything else [_whole(one, known) for one in facts]
            if missing := [one for one in wanted if one not in {str(fact["id"]) for fact in known}]:
                await client.profile.why(missing[0])  # the daemon refuses it before anything is forgotten
            if everything:
                await client.profile.forget_habit("all")
                wanted = [one for one in wanted if one not in habits]
            left: list[str] = []
            for one in dict.fromkeys(wanted):
                if one in habits:
                    await client.profile.forget_habit(one)
                else:
                    left += await client.profile.forget(one)
            return len(wanted), list(dict.fromkeys(left))

    count, left = shell.run(work())
    shell.say("profile.forgotten", count=count)
    if left:
        shell.say("profile.left", files=left, style="yellow")


def history(context: typer.Context, as_json: bool = typer.Option(False, "--json")) -> None:
    """What was learned and changed."""
    shell = shells.of(context)
    shell.as_json = as_json

    async def work() -> list[dict[str, Any]]:
        async with shell.client() as client:
            return await client.profile.changes()

    found = shell.run(work())
    if as_json:
        shell.json({"items": found})
    elif not found:
        shell.say("profile.nothing_learned")
    for one in [] if as_json else found:
        at, told = datetime.fromisoformat(one["at"]), one["told"]
        shell.say(f"profile.change.{one['what']}", at=at, fact=told, other=one["other"], batch=one["batch"])


def tidy(context: typer.Context) -> None:
    """Put together what says the same."""
    shell = shells.of(context)

    async def work() -> dict[str, Any]:
        async with shell.client() as client:
            return await client.profile.tidy()

    done = shell.run(work())
    if done["refused"]:
        shell.say("profile.tidy_refused", count=done["refused"])
    elif done["batch"]:
        shell.say("profile.tidied", count=done["folded"] + done["joined"], batch=done["batch"])
    else:
        shell.say("profile.tidy_nothing")


def undo(context: typer.Context, batch: str = typer.Argument("", metavar="[BATCH]")) -> None:
    """Take back the newest change, or a night."""
    shell = shells.of(context)

    async def work() -> dict[str, Any]:
        async with shell.client() as client:
            return await client.profile.undo(batch)

    done = shell.run(work())
    if not done["batch"]:
        shell.say("profile.nothing_learned")
        return
    shell.say("profile.undone")
    for one in done["items"]:
        shell.line(f"- {one['told']}")


def _correct(shell: Shell, fact: str, value: str) -> None:
    if not value.strip():
        raise UsageProblem("cli.edit_what", id=fact)

    async def work() -> dict[str, Any]:
        async with shell.client() as client:
            known = await client.profile.facts(history=True)
            return await client.profile.edit(_whole(fact, known), value)

    shell.say("profile.edited", fact=shell.run(work())["told"])


def _learned(shell: Shell, as_of: datetime | None, everything: bool) -> list[dict[str, Any]] | None:
    """What the daemon has learned; None, and a word about it, where it does not run."""
    from assistant.client import NotRunning

    async def work() -> list[dict[str, Any]]:
        async with shell.client() as client:
            return await client.profile.facts(as_of=as_of, history=everything)

    try:
        return shell.run(work())
    except NotRunning:
        shell.note(shell.text("profile.not_running"))
        return None


def _habits(shell: Shell) -> list[dict[str, Any]]:
    """What is usually chosen."""

    async def work() -> list[dict[str, Any]]:
        async with shell.client() as client:
            return await client.profile.habits()

    return shell.run(work())


def moment_of(text: str) -> datetime | None:
    """The end of a day, or a moment, in the system's zone. Raises UsageProblem."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageProblem("cli.no_date", text=text) from None
    whole_day = "T" not in text and " " not in text
    return (moment.replace(hour=23, minute=59, second=59) if whole_day else moment).astimezone()


def _whole(wanted: str, known: list[dict[str, Any]]) -> str:
    """The id that begins so; what fits none is left to the daemon to refuse. Raises UsageProblem where several fit."""
    fitting = [str(fact["id"]) for fact in known if wanted and str(fact["id"]).startswith(wanted)]
    if len(fitting) > 1 and wanted not in fitting:
        raise UsageProblem("cli.several", id=wanted)
    return fitting[0] if len(fitting) == 1 else wanted


def _state(shell: Shell, fact: dict[str, Any]) -> str:
    """What is remarkable of it: until when it held, that it is pinned."""
    if fact["folded"]:
        return " " + shell.text("profile.is_folded")
    if fact["valid_to"]:
        since, until = (datetime.fromisoformat(fact[name]) for name in ("valid_from", "valid_to"))
        return " " + shell.text("profile.held", since=since, until=until)
    if fact["due"]:
        return " " + shell.text("profile.to_review", at=datetime.fromisoformat(fact["last_confirmed_at"]))
    return " " + shell.text("profile.is_pinned") if fact["pinned"] else ""


def _show_file(shell: Shell, user: UserContext) -> None:
    for key in ("name", "email", "home", "home_airport", "zone", "locale"):
        if getattr(user, key):
            shell.line(f"{shell.text(f'profile.field.{key}')}: {getattr(user, key)}")
    if user.accounts:
        shell.say("profile.accounts", accounts=[f"{account.name} ({account.currency})" for account in user.accounts])
    if user.contacts:
        shell.line("")
        columns = [
            "name",
            "email",
            *(more for more in ("phone", "iban") if any(getattr(p, more) for p in user.contacts)),
        ]
        rows = [
            (*(getattr(person, column) or "" for column in columns), ", ".join(person.aliases))
            for person in user.contacts
        ]
        shell.table("profile", (*columns, "aliases"), rows)


def edit(
    context: typer.Context,
    fact: str = typer.Argument("", metavar="[ID]"),
    value: list[str] = typer.Argument(default_factory=list, metavar="[WORDS…]"),
) -> None:
    """Put another value in the place of a fact's, or open the user's own file in an editor."""
    from assistant.cli.userfile import read_user

    shell = shells.of(context)
    if fact:
        _correct(shell, fact, " ".join(value))
        return
    file = shell.paths.profile_file
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_text(shell.text("profile.template"), encoding="utf-8")
        file.chmod(0o600)
    shell.edit(file)
    read_user(file)
    shell.say("profile.fine", file=file)
