"""`assistant skills`: what the assistant can do, and switching parts of it on and off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from assistant.cli import help
from assistant.cli import shell as shells
from assistant.cli.exits import ExitCode, Unfit, UsageProblem
from assistant.cli.help import Command
from assistant.cli.shell import Shell
from assistant.errors import ConfigError

if TYPE_CHECKING:
    from assistant.client import Client
    from assistant.skillkit.manifest import Manifest


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = help.group()
    commands.command("list", cls=Command)(list_all)
    for function in (show, enable, disable, audit):
        commands.command(cls=Command)(function)
    commands.command("new", cls=Command)(new)
    app.add_typer(commands, name="skills", rich_help_panel="setup")


def list_all(context: typer.Context, as_json: bool = typer.Option(False, "--json")) -> None:
    """List them."""
    shell = shells.of(context)
    shell.as_json = as_json
    found = _fetch(shell)
    if as_json:
        shell.json({"items": found})
        return
    rows = [
        (
            str(skill.get("name", "")),
            _state(shell, skill),
            str(skill.get("version", "")),
            shell.text(f"skills.source.{skill.get('source', 'bundled')}"),
            str(skill.get("description", "")),
        )
        for skill in found
    ]
    shell.table("skills", ("name", "state", "version", "source", "description"), rows)
    for skill in found:
        for problem in _problems(shell, skill):
            shell.note(f"{skill.get('name')}: {problem}", style="yellow")


def show(
    context: typer.Context,
    name: str = typer.Argument(metavar="NAME"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Show one."""
    shell = shells.of(context)
    shell.as_json = as_json
    skill = _one(shell, name)
    if as_json:
        shell.json(skill)
        return
    shell.line(f"{skill['name']} {skill.get('version', '')}", style="bold")
    shell.line(str(skill.get("description", "")))
    shell.line(_state(shell, skill))
    for problem in _problems(shell, skill):
        shell.line(problem, style="yellow")
    if skill.get("enabled") and skill.get("contained"):
        kind = skill["contained"]
        shell.say(f"skills.contained.{kind}", style="yellow" if kind == "none" else "")
    try:
        manifest = _manifest(skill)
    except ConfigError:  # told among its problems
        manifest = None
    effects = {f"{manifest.name}.{tool}": told.effect for tool, told in manifest.tools.items()} if manifest else {}
    tools = [str(tool.get("name") if isinstance(tool, dict) else tool) for tool in skill.get("tools", [])] or list(
        effects
    )
    if tools:
        shell.line("")
        rows = [(tool, shell.text(f"skills.effect.{effects[tool]}") if tool in effects else "") for tool in tools]
        shell.table("skills.tools", ("name", "effect"), rows)
    if manifest and manifest.settings:
        shell.line("")
        _show_settings(shell, manifest)


def enable(
    context: typer.Context,
    name: str = typer.Argument(metavar="NAME"),
    yes: bool = typer.Option(False, "--yes", "-y"),
) -> None:
    """Switch one on."""
    shell = shells.of(context)
    skill = _one(shell, name)
    if "version" not in skill:  # there is no manifest that can be read
        raise Unfit("skillkit.said", **skill["problems"][0])
    if skill.get("source") != "bundled" and not (_consents(shell, skill) or yes):
        shell.say("skills.left_off", name=name)
        raise typer.Exit(ExitCode.FAILED)
    _note_consent(shell, skill)
    _switch(shell, name, on=True)


def disable(context: typer.Context, name: str = typer.Argument(metavar="NAME")) -> None:
    """Switch one off."""
    shell = shells.of(context)
    _one(shell, name)
    _switch(shell, name, on=False)


def new(
    context: typer.Context,
    name: str = typer.Argument(metavar="NAME"),
    folder: Path | None = typer.Option(None, "--folder", metavar="FOLDER"),
) -> None:
    """Begin one of your own."""
    from assistant.skillkit.scaffold import new_skill

    shell = shells.of(context)
    own = shell.paths.skills
    made = new_skill(name, folder or own)
    among_own = made.parent.resolve() == own.resolve()
    shell.say("skills.made" if among_own else "skills.made_elsewhere", folder=made.absolute(), name=name, own=own)


def words(problem: Any) -> str:
    """A problem as the daemon tells it, as one sentence."""
    if isinstance(problem, dict):
        return " ".join(str(problem[key]) for key in ("message", "mend") if problem.get(key)) or str(problem)
    return str(problem)


def _problems(shell: Shell, skill: dict[str, Any]) -> list[str]:
    """What is to be known of a skill beside its state, a line each."""
    told = [words(problem) for problem in skill.get("problems") or []]
    if skill.get("changed"):
        told.append(shell.text("skills.changed"))
    own = shell.loaded.config.skills.get(str(skill.get("name")))
    if own is not None and own.enabled is not None and "version" in skill and own.enabled != skill.get("enabled"):
        told.append(shell.text("skills.will_be_on" if own.enabled else "skills.will_be_off"))
    return told


def _state(shell: Shell, skill: dict[str, Any]) -> str:
    """`on`, `off`, `planned` where it is on but has no code yet, or `broken` where it should be on and can't be."""
    if skill.get("problems") and not skill.get("loaded") and (skill.get("enabled") or "version" not in skill):
        return shell.text("skills.broken")
    on = "planned" if skill.get("planned") else "on"
    return shell.text(f"skills.{on}" if skill.get("enabled") else "skills.off")


def _consents(shell: Shell, skill: dict[str, Any]) -> bool:
    """Show what a skill from elsewhere is and may do, and what of it is new; on a terminal, ask."""
    from assistant.sandbox.machine import look
    from assistant.skillkit.consent import Consents, added, pin
    from assistant.skillkit.external import describe

    manifest = _manifest(skill)
    if manifest is not None:
        folder = Path(str(skill["folder"]))
        here = look().kind
        contained = None if here == "none" and shell.loaded.config.sandbox.skills == "required" else here
        text = partial(shell.catalogue.text, shell.language)
        for line in describe(manifest, folder, shell.language, text, contained):
            shell.line(line)
        before = Consents(shell.paths).get(manifest.name)
        if before is not None and (more := added(before, manifest)):
            shell.line(text("skillkit.describe.new", wanted=more), style="bold yellow")
        elif before is not None and before.sha256 != pin(folder):
            shell.line(text("skillkit.describe.changed"), style="yellow")
    return shell.interactive and shell.confirm("skills.consent", name=skill["name"])


def _note_consent(shell: Shell, skill: dict[str, Any]) -> None:
    """Pin a skill from elsewhere: from now on exactly this one runs."""
    from assistant.skillkit.consent import Consents

    manifest = _manifest(skill) if skill.get("source") != "bundled" else None
    if manifest is not None:
        Consents(shell.paths).give(manifest, Path(str(skill["folder"])))


def audit(context: typer.Context, as_json: bool = typer.Option(False, "--json")) -> None:
    """What the skills from elsewhere may do and did."""
    shell = shells.of(context)
    shell.as_json = as_json
    found = _survey(shell)
    if as_json:
        shell.json({"items": found})
        return
    if not found:
        shell.say("skills.none_from_elsewhere")
    for one in found:
        _audit_one(shell, one)


def _audit_one(shell: Shell, one: dict[str, Any]) -> None:
    state = shell.text("skills.on" if one["loaded"] else "skills.broken" if one["enabled"] else "skills.off")
    shell.line(f"{one['name']} {one['version']}: {state}", style="bold")
    shell.say(f"skills.contained.{one['contained']}", style="yellow" if one["contained"] == "none" else "")
    shell.say(f"skills.pin.{one['pin']}", style="" if one["pin"] == "same" else "yellow")
    wanted = [entry for kind in ("network", "files", "secrets") for entry in one["permissions"][kind]]
    told = [shell.text("skills.may", wanted=wanted) if wanted else shell.text("skills.may_nothing")]
    told += [shell.text("skills.reached", **place) for place in one["reached"]]
    for place in one["refused"]:
        told.append(shell.text("skills.refused", **place, reason=place["refused"]))
    for line in told:
        shell.line(f"  {line}")
    for warning in one["warnings"]:
        shell.line("  " + shell.text("skills.warned", warning=warning["message"]), style="yellow")


def _switch(shell: Shell, name: str, *, on: bool) -> None:
    from assistant.config import change

    change(shell.paths.config_file, f"skills.{name}.enabled", "true" if on else "false")
    shell.say("skills.switched_on" if on else "skills.switched_off", name=name)
    shell.note_restart()


def _manifest(skill: dict[str, Any]) -> Manifest | None:
    """What the skill's own folder declares; None where there is none. Raises ConfigError."""
    from assistant.skillkit.manifest import read_manifest

    folder = Path(str(skill.get("folder", "")))
    return read_manifest(folder) if (folder / "skill.yaml").is_file() else None


def _show_settings(shell: Shell, manifest: Manifest) -> None:
    """The settings it declares and their present values."""
    own = shell.loaded.config.skills.get(manifest.name)
    given = own.settings if own else {}
    rows = []
    for key, setting in manifest.settings.items():
        value = given.get(key, setting.default)
        about = setting.description.get(shell.language) or setting.description.get("en", "")
        rows.append((f"skills.{manifest.name}.settings.{key}", "" if value is None else str(value), about))
    shell.table("skills.settings", ("key", "value", "description"), rows)


def _one(shell: Shell, name: str) -> dict[str, Any]:
    found = next((skill for skill in _fetch(shell) if skill.get("name") == name), None)
    if found is None:
        raise UsageProblem("cli.no_skill", name=name)
    return found


def _fetch(shell: Shell) -> list[dict[str, Any]]:
    return _asked(shell, lambda client: client.skills())


def _survey(shell: Shell) -> list[dict[str, Any]]:
    return _asked(shell, lambda client: client.survey())


def _asked(shell: Shell, ask: Callable[[Client], Awaitable[list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    from assistant.client import ensure_running

    async def work() -> list[dict[str, Any]]:
        await ensure_running(shell.paths)
        async with shell.client() as client:
            return await ask(client)

    return shell.run(work())
