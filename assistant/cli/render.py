"""Events, approvals and receipts as words on a terminal. Shows what it is given and decides nothing."""

from __future__ import annotations

import json
from typing import Any

from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.status import Status
from rich.table import Table
from rich.text import Text

from assistant.cli.shell import Shell, clean, short_id
from assistant.events import (
    ApprovalWanted,
    Event,
    Failed,
    Noticed,
    Question,
    ReceiptIssued,
    Reply,
    Token,
    ToolFinished,
    ToolStarted,
    TurnStarted,
)
from assistant.models import Action, Approval, Label, Notice, Operation, Origin, OutboxState, PreviewField, Receipt
from assistant.safety.words import argument, source

_LONGEST_VALUE = 60
_OUTCOME_STYLE = {"done": "green", "queued": "green", "failed": "red", "cancelled": "yellow", "unknown": "bold yellow"}
_STATE_STYLE = {
    OutboxState.DONE: "green",
    OutboxState.FAILED: "red",
    OutboxState.UNKNOWN: "bold yellow",
    OutboxState.CANCELLED: "dim",
}


class Printer:
    """Shows the events of one turn as they come."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._streamed = ""
        self._thinking: Status | None = None
        self._receipts: set[str] = set()

    def think(self) -> None:
        """Show that something goes on, until there is something else to show; at a terminal only."""
        if self._thinking is None and self._shell.err.is_terminal and self._shell.out.is_terminal:
            self._thinking = self._shell.err.status(Text(self._shell.text("talk.thinking"), style="dim"))
            self._thinking.start()

    def show(self, event: Event) -> None:
        """Print what a person wants to see of the event; approvals are shown when they are asked."""
        if not isinstance(event, TurnStarted | ToolFinished):
            self._rest()
        match event:
            case Token():
                self._streamed += event.text
                self._shell.line(event.text, end="")
            case ToolStarted():
                self._break()
                self._shell.note(f"  · {tool_line(event.tool, event.args)}")
                self.think()
            case ToolFinished(ok=False):
                self._rest()
                self._break()
                self._shell.note(f"  ✗ {event.tool}", style="dim red")
            case Reply():
                self._reply(event.text)
            case Question():
                self._reply(event.text)
                for number, choice in enumerate(event.choices, 1):
                    self._shell.line(f"  {number}. {choice}")
            case Failed():
                self._break()
                self._shell.note(event.message, style="red")
                if event.mend:
                    self._shell.note(event.mend, style="")
            case ReceiptIssued():
                self._break()
                show_receipt(self._shell, event.receipt)
                self._receipts.add(event.receipt.summary.strip())
            case Noticed():
                self._break()
                show_notice(self._shell, event.notice)
            case _:
                pass

    def end(self) -> None:
        """The turn is over: finish the line."""
        self._rest()
        self._break()

    def _rest(self) -> None:
        if self._thinking is not None:
            self._thinking.stop()
            self._thinking = None

    def _reply(self, text: str) -> None:
        """The whole reply, unless the tokens or a receipt have already shown just that."""
        shown = self._streamed.strip() == text.strip() or text.strip() in self._receipts
        self._break()
        if text and not shown:
            self._shell.line(text)

    def _break(self) -> None:
        if self._streamed and not self._streamed.endswith("\n"):
            self._shell.line("")
        self._streamed = ""


def tool_line(tool: str, args: dict[str, Any]) -> str:
    """A call on one line, long values shortened: `email.search(sender="Anna")`."""
    return f"{tool}({', '.join(f'{name}={_short(value)}' for name, value in args.items())})"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def show_approval(shell: Shell, approval: Approval) -> None:
    """Exactly what will happen, and where each value that matters came from."""
    action, prepared = approval.action, approval.prepared
    parts: list[Any] = [Text(clean(prepared.title), style="bold")]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    for line in prepared.fields:
        origin = line.origin or action.origins.get(line.name)
        grid.add_row(Text(clean(line.name)), Text(clean(line.value)), origin_text(shell, origin))
    if prepared.fields:
        parts += [Text(""), grid]
    if prepared.body:
        parts += [Text(""), Text(clean(prepared.body))]
    origins = _further_origins(action, prepared.fields)
    if origins:
        parts += [Text(""), Text(shell.text("approvals.origins"), style="dim")]
        for name, origin in origins:
            called = argument(name, shell.catalogue, shell.language)
            parts.append(Text.assemble(f"  {clean(called)}: ", origin_text(shell, origin)))
    if action.leaks and action.effect != "write":
        parts += [Text(""), Text(clean(shell.text("approvals.leaks", who=action.leaks)), style="bold red")]
    if approval.reason:
        parts += [Text(""), Text(clean(approval.reason), style="italic")]
    title = Text(shell.text(f"approvals.title_{action.effect}"), style="bold yellow")
    panel = Panel(
        Group(*parts),
        title=title,
        title_align="left",
        subtitle=Text(clean(action.tool), style="dim"),  # whose question it is, whatever its title says
        subtitle_align="right",
        box=box.ROUNDED,
        border_style="yellow",
        width=min(shell.out.width, 100),
    )
    shell.out.print(panel)


def _further_origins(action: Action, fields: tuple[PreviewField, ...]) -> list[tuple[str, Origin]]:
    """Origins of sensitive arguments that no line of the approval carries itself."""
    shown = {line.origin for line in fields if line.origin} | {
        action.origins[line.name] for line in fields if line.name in action.origins
    }
    return [
        (name, action.origins[name])
        for name in action.sensitive
        if name in action.origins and name in action.args and action.origins[name] not in shown
    ]


def origin_text(shell: Shell, origin: Origin | None) -> Text:
    """Where a value came from and who can read it now, in words; what others wrote stands out."""
    if origin is None:
        return Text("")
    key = f"origin.{origin.label.value}" + ("_from" if origin.source else "")
    words = shell.text(key, source=source(origin.source, shell.catalogue, shell.language))
    if origin.readers is not None and origin.label is not Label.USER:
        words += shell.text("origin.readers" if origin.readers else "origin.readers_none", who=origin.readers)
    return Text(clean(words), style="bold red" if origin.label is Label.UNTRUSTED else "dim")


def show_receipt(shell: Shell, receipt: Receipt) -> None:
    """What came of an act, and until when and how it can be taken back."""
    mark = {"done": "✓", "queued": "✓", "failed": "✗", "cancelled": "–", "unknown": "?"}[receipt.outcome]
    shell.line(f"{mark} {receipt.summary}", style=_OUTCOME_STYLE[receipt.outcome])
    if receipt.outcome == "queued" and receipt.undo_until is not None:
        until = receipt.undo_until.astimezone(shell.clock.zone).strftime("%H:%M:%S")
        shell.say("outbox.can_undo", until=until, id=short_id(receipt.operation), style="dim")


def show_notice(shell: Shell, notice: Notice) -> None:
    """Something said unasked."""
    shell.line(f"● {notice.title}", style="bold red" if notice.urgent else "bold cyan")
    if notice.body:
        shell.line(f"  {notice.body}")


def show_operations(shell: Shell, operations: list[Operation]) -> None:
    """The outbox as a table."""
    rows = [
        (
            short_id(operation.id),
            Text(shell.text(f"outbox.state.{operation.state.value}"), style=_STATE_STYLE.get(operation.state, "")),
            operation.prepared.title,
            shell.moment(operation.created_at),
            operation.problem,
        )
        for operation in operations
    ]
    shell.table("outbox", ("id", "state", "what", "created", "problem"), rows)


def wanted(event: Event) -> Approval | None:
    """The approval that an event asks for."""
    return event.approval if isinstance(event, ApprovalWanted) else None
