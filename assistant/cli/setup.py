"""`assistant setup`: from nothing to an assistant that answers. Can be run again; throws nothing away."""

from __future__ import annotations

import typer

from assistant.cli import shell as shells
from assistant.cli.help import Command
from assistant.cli.shell import Shell


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("setup", cls=Command, rich_help_panel="setup")(setup)


def setup(
    context: typer.Context,
    yes: bool = typer.Option(False, "--yes", "-y"),
    model: str = typer.Option("", "--model", metavar="NAME"),
    small: bool = typer.Option(False, "--small"),
    sample: bool = typer.Option(False, "--sample"),
) -> None:
    """Make everything ready."""
    shell = shells.of(context)
    asking = shell.interactive and not yes
    shell.paths.make()
    shell.say("setup.folders", folder=shell.paths.data)
    if asking:
        _language(shell)
    if sample:
        _sample(shell)
    elif asking and not shell.paths.profile_file.exists():
        _person(shell)
    _model(shell, model, small=small, asking=asking, yes=yes)
    _sentence_models(shell, asking=asking)
    shell.say("setup.done", style="green")
    shell.line('  assistant ask "{}"'.format(shell.text("setup.example")))


def _language(shell: Shell) -> None:
    """Ask for the language; what is said from here on is in it."""
    from assistant.config import change

    answer = shell.ask("setup.language", default=shell.language).casefold()
    wanted = "zh" if answer in ("zh", "中文", "汉语", "2") else "en" if answer in ("en", "english", "1") else ""
    if wanted:
        change(shell.paths.config_file, "assistant.language", wanted)
        shell.language = "zh" if wanted == "zh" else "en"


def _person(shell: Shell) -> None:
    """Ask for name and address and begin the user's profile with them."""
    from io import StringIO

    from ruamel.yaml import YAML

    name = shell.ask("setup.name")
    email = shell.ask("setup.email")
    yaml = YAML()
    tree = yaml.load(shell.text("profile.template"))
    tree["name"] = name
    tree["email"] = email
    tree["zone"] = str(shell.clock.zone)
    written = StringIO()
    yaml.dump(tree, written)
    file = shell.paths.profile_file
    file.write_text(written.getvalue(), encoding="utf-8")
    file.chmod(0o600)
    shell.say("setup.profile", file=file)


def _sample(shell: Shell) -> None:
    from assistant.cli.account import add_sample

    add_sample(shell)


def _model(shell: Shell, wanted: str, *, small: bool, asking: bool, yes: bool) -> None:
    """Get the model and, where one was named, choose it; nothing is fetched where one is in use already."""
    from assistant.cli.models import choose, fetch, smallest, store, tell_recommended

    models = store(shell)
    chosen = models.chosen()
    if not wanted and not small and chosen is not None:
        shell.say("setup.model_here", name=chosen.name)
        return
    name = wanted or (smallest(models).name if small else tell_recommended(shell, models).name)
    if asking and not wanted and not small and not shell.confirm("setup.get", default=True, name=name):
        shell.say("setup.no_model")
        return
    fetch(shell, models, name, yes=yes)
    if wanted or small:
        choose(shell, name)


def _sentence_models(shell: Shell, *, asking: bool) -> None:
    """Get the models that search by meaning uses. Without them the rest works: a failure is said and no more."""
    from assistant.cli.models import fetch, store
    from assistant.errors import EngineError

    models = store(shell)
    missing = [entry.name for entry in models.embeddings() if entry.runs_here and models.here(entry.name) is None]
    if not missing or (asking and not shell.confirm("setup.get_search", default=True, names=", ".join(missing))):
        return
    for name in missing:
        try:
            fetch(shell, models, name, yes=True)
        except EngineError as error:
            shell.note(" ".join(part for part in shell.catalogue.explain(error, shell.language) if part))
