"""`assistant models`: the models on this computer. Works on their folder; the daemon need not run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from assistant.cli import help
from assistant.cli import shell as shells
from assistant.cli.exits import Unfit
from assistant.cli.help import Command
from assistant.cli.shell import Shell

if TYPE_CHECKING:
    from assistant.engine.catalogue import Embedding, Entry
    from assistant.engine.models import Installed, Listing, ModelStore

_STEP = 0.25  # without a terminal, progress is told at each quarter


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = help.group()
    commands.command("list", cls=Command)(list_all)
    for function in (recommend, pull, use, add, remove, verify):
        commands.command(cls=Command)(function)
    app.add_typer(commands, name="models", rich_help_panel="setup")


def list_all(context: typer.Context, as_json: bool = typer.Option(False, "--json")) -> None:
    """List them."""
    shell = shells.of(context)
    shell.as_json = as_json
    listings = store(shell).list()
    if as_json:
        shell.json({"items": [_plain(listing) for listing in listings]})
        return
    rows = [_row(shell, listing) for listing in listings]
    shell.table("models", ("name", "state", "size", "ram", "languages", "licence"), rows)
    if any(listing.entry and listing.entry.unverified for listing in listings):
        shell.note(shell.text("models.unverified_note"))


def recommend(context: typer.Context) -> None:
    """Say which fits."""
    shell = shells.of(context)
    entry = tell_recommended(shell, store(shell))
    shell.note(shell.text("models.to_get", name=entry.name))


def pull(
    context: typer.Context,
    name: str = typer.Argument(metavar="NAME"),
    yes: bool = typer.Option(False, "--yes", "-y"),
) -> None:
    """Download one."""
    shell = shells.of(context)
    fetch(shell, store(shell), name, yes=yes)


def use(context: typer.Context, name: str = typer.Argument(metavar="NAME")) -> None:
    """Choose one."""
    shell = shells.of(context)
    choose(shell, name)
    shell.say("models.used", name=name)


def add(
    context: typer.Context,
    file: Path = typer.Argument(metavar="FILE"),
    name: str = typer.Option("", "--name", metavar="NAME"),
) -> None:
    """Add a file."""
    shell = shells.of(context)
    with progress(shell, file.name) as tell:
        added = store(shell).add(file.expanduser(), name or file.stem.lower().replace(" ", "-"), tell)
    shell.say("models.added", name=added.name, style="green")
    shell.note(shell.text("models.to_use", name=added.name))


def remove(
    context: typer.Context,
    name: str = typer.Argument(metavar="NAME"),
    yes: bool = typer.Option(False, "--yes", "-y"),
) -> None:
    """Delete one."""
    shell = shells.of(context)
    if not yes and shell.interactive and not shell.confirm("models.remove_prompt", name=name):
        return
    store(shell).remove(name)
    shell.say("models.removed", name=name)


def verify(context: typer.Context, name: str = typer.Argument(metavar="NAME")) -> None:
    """Check one."""
    shell = shells.of(context)
    with progress(shell, name) as tell:
        model = store(shell).verify(name, tell)
    shell.say("models.verified", name=name, sha256=model.sha256 or "", style="green")


def store(shell: Shell) -> ModelStore:
    """The models of this machine."""
    from assistant.engine.models import ModelStore

    return ModelStore(shell.paths, shell.loaded.config.engine)


def tell_recommended(shell: Shell, models: ModelStore) -> Entry:
    """The recommended model, said with the reasons."""
    entry, reasons = models.recommend()
    for reason in reasons:
        shell.line(shell.catalogue.text(shell.language, reason.key, **reason.data))
    return entry


def fetch(shell: Shell, models: ModelStore, name: str, *, yes: bool) -> Installed:
    """Bring a model here, its licence said first. Raises ModelMissing, ModelRefused, EngineError."""
    entry = models.entry(name)
    if entry is not None and models.here(name) is None:
        shell.say("models.licence", title=entry.title, licence=entry.licence.name, url=entry.licence.url)
        if entry.licence.attribution:
            shell.line(entry.licence.attribution)
        if entry.unverified:
            shell.note(shell.text("models.unverified_note"), style="yellow")

    def accepts(entry: Entry | Embedding) -> bool:
        return yes or (shell.interactive and shell.confirm("models.accept", licence=entry.licence.name))

    with progress(shell, name) as tell:
        model = models.pull(name, tell, accepts)
    shell.say("models.here", name=model.name, size=size(model.bytes), style="green")
    return model


def choose(shell: Shell, name: str) -> None:
    """Choose a model: through the daemon where it runs, so that it counts at once."""
    from assistant.client import NotRunning

    async def work() -> None:
        async with shell.client() as client:
            await client.use_model(name)

    with suppress(NotRunning):
        shell.run(work())
        return
    store(shell).use(name)


Tell = Callable[[int, int, str], None]


@contextmanager
def progress(shell: Shell, title: str) -> Iterator[Tell]:
    """A progress bar for bytes; without a terminal, a line at each quarter. Drawn at the first word of progress."""
    if not shell.err.is_terminal:
        yield _quarters(shell, title)
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=shell.err,
    )
    tasks: list[Any] = []

    def tell(done: int, whole: int, _source: str) -> None:
        if not tasks:
            bar.start()
            tasks.append(bar.add_task(title, total=whole, completed=done))
        bar.update(tasks[0], completed=done, total=whole)

    try:
        yield tell
    finally:
        bar.stop()


def _quarters(shell: Shell, title: str) -> Tell:
    told = [0.0]

    def tell(done: int, whole: int, _source: str) -> None:
        share = done / whole if whole else 1.0
        if share >= told[0] + _STEP:
            told[0] = share - share % _STEP
            shell.note(f"{title}: {size(done)} / {size(whole)}")

    return tell


def size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _row(shell: Shell, listing: Listing) -> tuple[str, ...]:
    state = "chosen" if listing.chosen else "installed" if listing.installed else "fits" if listing.fits else "too_big"
    entry, model = listing.entry, listing.installed
    if state == "too_big" and listing.kind == "embedding":
        state = "other_machine"
    count = model.bytes if model else entry.bytes if entry else 0
    ram = model.ram if model else entry.ram if entry else 0
    languages = ", ".join(entry.languages[:3]) + (" …" if len(entry.languages) > 3 else "") if entry else ""
    licence = f"{entry.licence.name}{' *' if entry.unverified else ''}" if entry else shell.text("models.own")
    return listing.name, shell.text(f"models.state.{state}"), size(count), size(ram), languages, licence


def _plain(listing: Listing) -> dict[str, Any]:
    entry, model = listing.entry, listing.installed
    return {
        "name": listing.name,
        "kind": listing.kind,
        "title": entry.title if entry else listing.name,
        "installed": model is not None,
        "chosen": listing.chosen,
        "fits": listing.fits,
        "bytes": model.bytes if model else entry.bytes if entry else 0,
        "ram": model.ram if model else entry.ram if entry else 0,
        "languages": list(entry.languages) if entry else [],
        "licence": entry.licence.name if entry else "",
        "unverified": bool(entry and entry.unverified),
        "path": str(model.path) if model else None,
    }


def smallest(models: ModelStore) -> Entry:
    """The smallest language model of the catalogue. Raises Unfit where there is none."""
    from assistant.engine.catalogue import Entry

    entries = [listing.entry for listing in models.list() if isinstance(listing.entry, Entry)]
    if not entries:
        raise Unfit()
    return min(entries, key=lambda entry: entry.bytes)
