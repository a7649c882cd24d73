"""What a turn streams to its surface, and what the daemon says unasked: frozen, tagged by `type`, `v` 1 on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from assistant.models import Approval, Notice, Receipt, Value, Via


class _Event(Value):
    v: Literal[1] = 1
    turn: str = ""
    """Id of the turn; empty for what is said unasked."""
    session: str = ""


class TurnStarted(_Event):
    """The turn was taken up."""

    type: Literal["turn-started"] = "turn-started"
    text: str


class Token(_Event):
    """A piece of the reply, as the model writes it."""

    type: Literal["token"] = "token"
    text: str


class ToolStarted(_Event):
    """A tool is being run."""

    type: Literal["tool-started"] = "tool-started"
    tool: str
    args: dict[str, Any]
    via: Via


class ToolFinished(_Event):
    """A tool ended."""

    type: Literal["tool-finished"] = "tool-finished"
    tool: str
    ok: bool
    receipt: Receipt | None = None


class ApprovalWanted(_Event):
    """Something will happen only after a yes to exactly this."""

    type: Literal["approval-wanted"] = "approval-wanted"
    approval: Approval


class Question(_Event):
    """The assistant asks back; the next turn of the session may be the answer."""

    type: Literal["question"] = "question"
    text: str
    missing: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


class Reply(_Event):
    """The whole reply, after its tokens (if any were streamed)."""

    type: Literal["reply"] = "reply"
    text: str
    via: Via
    data: Any = None
    """The result behind the words, for `--json` and for cards."""


class Failed(_Event):
    """The turn could not be done: a machine code, the sentence and the mend."""

    type: Literal["error"] = "error"
    code: str
    message: str
    mend: str = ""


class Noticed(_Event):
    """Said unasked, to every open surface."""

    type: Literal["notice"] = "notice"
    notice: Notice


class ReceiptIssued(_Event):
    """An outward act changed its state: sent, failed, undone."""

    type: Literal["receipt"] = "receipt"
    receipt: Receipt


class TurnDone(_Event):
    """The last event of a turn."""

    type: Literal["done"] = "done"
    ms: int
    at: datetime


Event = Annotated[
    TurnStarted
    | Token
    | ToolStarted
    | ToolFinished
    | ApprovalWanted
    | Question
    | Reply
    | Failed
    | Noticed
    | ReceiptIssued
    | TurnDone,
    Field(discriminator="type"),
]

parse_event: TypeAdapter[Event] = TypeAdapter(Event)
