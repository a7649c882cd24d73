"""`assistant profile`: who the user is and whom they know, as the user's own file says it."""

from __future__ import annotations

import typer

from assistant.cli import help
from assistant.cli import shell as shells
from assistant.cli.help import Command


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = help.group()
    commands.command(cls=Command)(show)
    commands.command(cls=Command)(edit)
    app.add_typer(commands, name="profile", rich_help_panel="setup")


def show(context: typer.Context, as_json: bool = typer.Option(False, "--json")) -> None:
    """Show it."""
    from assistant.cli.userfile import read_user

    shell = shells.of(context)
    shell.as_json = as_json
    file = shell.paths.profile_file
    if not file.exists() and not as_json:
        shell.say("profile.none", file=file)
        return
    user = read_user(file)[0] if file.exists() else None
    if as_json:
        shell.json(user.model_dump(mode="json") if user else {})
        return
    assert user is not None
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
    shell.note(str(file))


def edit(context: typer.Context) -> None:
    """Open it in an editor."""
    from assistant.cli.userfile import read_user

    shell = shells.of(context)
    file = shell.paths.profile_file
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_text(shell.text("profile.template"), encoding="utf-8")
        file.chmod(0o600)
    shell.edit(file)
    read_user(file)
    shell.say("profile.fine", file=file)
