"""Help pages in the person's language, drawn from the catalogue: `cli.help.<command path>.about` and `.<parameter>`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperArgument, TyperCommand, TyperGroup

from assistant.cli import shell as shells
from assistant.cli.exits import UsageProblem
from assistant.cli.shell import Shell

WIDTH = 100
PANELS = ("talk", "care", "setup", "later")
"""Headings under which the top commands are listed, in this order (`cli.panel.<name>`)."""


class Command(TyperCommand):
    """A command whose help page is ours."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page."""
        formatter.write(page(self, ctx))


class Group(TyperGroup):
    """A group of commands whose help page is ours, and is shown where no command is named."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page."""
        formatter.write(page(self, ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command. Raises UsageProblem with the nearest name."""
        if args and not args[0].startswith("-") and args[0] not in self.commands and not ctx.resilient_parsing:
            near = get_close_matches(args[0], self.commands, n=1)
            code = "cli.no_command_near" if near else "cli.no_command"
            raise UsageProblem(code, name=args[0], guess="".join(near), command=ctx.command_path)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Show the page where nothing is asked for."""
        if not args and not ctx.resilient_parsing and not self.invoke_without_command:
            typer.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)


def group(**options: Any) -> typer.Typer:
    """A new group of commands."""
    return typer.Typer(cls=Group, rich_markup_mode=None, add_completion=False, **options)


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The command and all below it, each with its path."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, (*path, name))


def localize(root: Any, shell: Shell) -> None:
    """Put the catalogue's words on every command and parameter (help pages and shell completion read them there)."""
    for path, command in walk(root):
        about = shell.text(".".join(("help", *path, "about")))
        command.help = about
        command.short_help = about.partition("\n")[0].rstrip()
        for parameter in command.params:
            parameter.help = describe(shell, path, parameter.name)


def describe(shell: Shell, path: tuple[str, ...], parameter: str) -> str:
    """What a parameter does: said by its command, or for all commands alike."""
    own = ".".join(("help", *path, parameter))
    return shell.text(own if shell.catalogue.has(f"cli.{own}") else f"help.common.{parameter}")


def page(command: Any, context: Any, *, width: int | None = None) -> str:
    """The whole help page; with a `width` for a document, otherwise for the terminal."""
    shell = shells.of(context)
    colour = width is None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = width or min(shutil.get_terminal_size((80, 24)).columns, WIDTH)
    console = Console(
        width=width, force_terminal=colour, no_color=not colour, highlight=False, markup=False, emoji=False
    )
    with console.capture() as captured:
        console.print(_usage(command, context, shell))
        console.print()
        console.print(Text(command.help.strip()))
        for title, rows in _sections(command, context, shell):
            console.print()
            console.print(Text(title, style="bold"))
            console.print(_columns(rows))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def _usage(command: Any, context: Any, shell: Shell) -> Text:
    text = Text(shell.text("help.usage") + " ", style="dim")
    text.append(context.command_path, style="bold not dim")
    text.append(f" [{shell.text('help.options_word')}]")
    for argument in _arguments(command):
        name = _name(argument)
        text.append(f" {name}" if argument.required else f" [{name}]")
    if getattr(command, "commands", None):
        text.append(f" {shell.text('help.command_word')} …")
    return text


def _sections(command: Any, context: Any, shell: Shell) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    children = [child for child in getattr(command, "commands", {}).values() if not child.hidden]
    panels = [panel for panel in PANELS if any(child.rich_help_panel == panel for child in children)]
    for panel in panels:
        rows = [(child.name, str(child.short_help)) for child in children if child.rich_help_panel == panel]
        yield shell.text(f"panel.{panel}"), rows
    others = [(child.name, str(child.short_help)) for child in children if child.rich_help_panel not in panels]
    if others:
        yield shell.text("help.commands"), others
    arguments = [(_name(argument), str(argument.help)) for argument in _arguments(command)]
    if arguments:
        yield shell.text("help.arguments"), arguments
    options = [
        (_spelling(option), option.help or shell.text("help.common.help"))
        for option in command.get_params(context)
        if not isinstance(option, TyperArgument) and not option.hidden
    ]
    for number, (spelling, _) in enumerate(options):
        if spelling == "--help":
            options[number] = (spelling, shell.text("help.common.help"))
    yield shell.text("help.options"), options


def _arguments(command: Any) -> list[TyperArgument]:
    return [parameter for parameter in command.params if isinstance(parameter, TyperArgument)]


def _name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _spelling(option: Any) -> str:
    words = ", ".join(sorted(option.opts, key=len))
    return words if option.is_flag or option.name == "help" else f"{words} {option.metavar or option.name.upper()}"


def _columns(rows: list[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2), pad_edge=True)
    table.add_column(no_wrap=True, style="cyan", min_width=14)
    table.add_column()
    for name, words in rows:
        table.add_row(Text(name), Text(words))
    return table
