"""`assistant config`: the settings, who set them, and how to change them."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import typer

from assistant.cli import help, tokens
from assistant.cli import shell as shells
from assistant.cli.exits import UsageProblem
from assistant.cli.help import Command
from assistant.cli.shell import Shell
from assistant.config import Config
from assistant.errors import ConfigError

_HEAD = "# Your settings. Only what differs from the defaults belongs here; `assistant config show` lists all keys.\n"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = help.group()
    commands.command(cls=Command)(show)
    commands.command("get", cls=Command)(get)
    commands.command("set", cls=Command)(set_value)
    commands.command(cls=Command)(path)
    commands.command(cls=Command)(edit)
    tokens.register(commands)
    app.add_typer(commands, name="config", rich_help_panel="setup")


def show(
    context: typer.Context,
    origin: bool = typer.Option(False, "--origin"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """List all settings."""
    from assistant.config import flat

    shell = shells.of(context)
    shell.as_json = as_json
    settings = flat(shell.loaded.config)
    origins = shell.loaded.origins
    if as_json:
        items = {key: {"value": value, "origin": origins.get(key, "default")} for key, value in settings.items()}
        shell.json(items if origin else settings)
        return
    if origin:
        rows = [(key, _written(value), _origin(shell, key)) for key, value in settings.items()]
        shell.table("config", ("key", "value", "origin"), rows)
        return
    for key, value in settings.items():
        shell.line(f"{key}: {_written(value)}")


def get(context: typer.Context, key: str = typer.Argument(metavar="KEY")) -> None:
    """Print one setting."""
    from assistant.config import flat

    shell = shells.of(context)
    settings = flat(shell.loaded.config)
    if key in settings:
        shell.line(_written(settings[key]))
        return
    below = {name: value for name, value in settings.items() if name.startswith(f"{key}.")}
    if not below:
        raise UsageProblem("cli.no_setting", key=key)
    for name, value in below.items():
        shell.line(f"{name}: {_written(value)}")


def set_value(
    context: typer.Context,
    key: str = typer.Argument(metavar="KEY"),
    value: str = typer.Argument(metavar="VALUE"),
) -> None:
    """Change one setting."""
    from assistant.config import change

    shell = shells.of(context)
    try:
        change(shell.paths.config_file, key, value, check=partial(_check_skill, shell, key))
    except ConfigError as error:
        raise _refused(error, key) from error
    shell.say("config.changed", key=key, value=value, file=shell.paths.config_file)
    shell.note_restart()


def _check_skill(shell: Shell, key: str, settings: Config) -> None:
    """A skill's own settings are declared in its manifest. Raises ConfigError."""
    from assistant.resources import bundled
    from assistant.skillkit.manifest import read_manifest
    from assistant.skillkit.settings import check

    part, _, rest = key.partition(".")
    name = rest.partition(".")[0]
    for folder in (bundled("skills") / name, shell.paths.skills / name):
        if part == "skills" and name and (folder / "skill.yaml").is_file():
            check(read_manifest(folder), settings.skills[name].settings)
            return


def path(context: typer.Context) -> None:
    """Print where the settings are."""
    shell = shells.of(context)
    shell.line(str(shell.paths.config_file))


def edit(context: typer.Context) -> None:
    """Open the settings in an editor."""
    from assistant.config import load

    shell = shells.of(context)
    file = shell.paths.config_file
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_text(_HEAD, encoding="utf-8")
        file.chmod(0o600)
    shell.edit(file)
    load(file)
    shell.say("config.fine", file=file)
    shell.note_restart()


def _refused(error: ConfigError, key: str) -> Exception:
    """What is wrong with what was typed, where it is that and not something the file held before."""
    wrong = str(error.data.get("key", ""))
    if wrong != key:
        return error
    if error.code.startswith("skillkit."):  # a skill's own setting: it has its own words
        return UsageProblem(error.code, **error.data)
    if error.code == "config.unknown_key":
        return UsageProblem("cli.no_setting_near", key=key, guess=error.data.get("guess", ""))
    return UsageProblem("cli.bad_setting", key=key, problem=error.data.get("problem", ""))


def _written(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _origin(shell: Shell, key: str) -> str:
    """Who set the key, or a mapping above it."""
    origins = shell.loaded.origins
    parts = key.split(".")
    for size in range(len(parts), 1, -1):
        found = origins.get(".".join(parts[:size]))
        if found:
            return found
    return shell.text("config.default")
