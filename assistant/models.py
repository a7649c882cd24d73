"""The vocabulary of a turn, from words to receipt. Values only: nothing here acts, stores or speaks to anything."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Effect = Literal["read", "write", "outward", "money"]
"""read: looks. write: changes the user's own data, can be undone. outward: reaches somebody. money: moves money."""

Language = Literal["en", "zh"]
"""Languages with a message catalogue; a turn in another one is answered by the model in that language."""

Surface = Literal["cli", "chat", "web", "tray", "voice", "api", "mcp", "automation"]


class Value(BaseModel):
    """Base of all values: frozen, and nothing unknown in it."""

    # Validators are built at first use: a sixth of the time that importing the daemon takes.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


# --- provenance ------------------------------------------------------------------------------------------------


class Label(StrEnum):
    """Where a value came from, best first. Joining values (`safety.provenance.join`) keeps the worst."""

    USER = "user"
    PROFILE = "profile"
    CONTACT = "contact"
    FILE = "file"
    TOOL = "tool"
    UNTRUSTED = "untrusted"

    @property
    def rank(self) -> int:
        """0 for the most trusted."""
        return list(Label).index(self)


class Origin(Value):
    """A label and the thing it speaks of."""

    label: Label
    source: str = ""
    """For people: `email <id> from x@y`, `email.search`, a file's name."""
    readers: tuple[str, ...] | None = None
    """Who may read it: addresses; None is anyone, () the user alone."""


# --- what is said ----------------------------------------------------------------------------------------------


class Turn(Value):
    """One thing said to the assistant."""

    id: str
    text: str
    session: str
    surface: Surface = "cli"
    language: str | None = None
    """BCP-47; None lets the conversation tell it from the words."""
    attachments: tuple[str, ...] = ()
    """Paths of files on this machine."""
    present: bool = True
    """Whether a person is there to be asked."""


class Person(Value):
    """Somebody the user knows."""

    name: str
    aliases: tuple[str, ...] = ()
    email: str | None = None
    phone: str | None = None
    iban: str | None = None

    def called(self, word: str) -> bool:
        """Whether `word` is one of this person's names, whatever its case."""
        return word.casefold().strip() in {name.casefold() for name in (self.name, *self.aliases)}


class MoneyAccount(Value):
    """One of the user's own bank accounts, by the name the user gives it."""

    name: str
    currency: str = "EUR"


class UserContext(Value):
    """What the assistant knows of its user at the start of a turn (form: `profile/sample.yaml`)."""

    name: str = ""
    email: str = ""
    more_emails: tuple[str, ...] = ()
    """Of their accounts; `email` may be among them."""
    home: str = ""
    home_airport: str = ""
    zone: str = "UTC"
    locale: str = "en"
    contacts: tuple[Person, ...] = ()
    accounts: tuple[MoneyAccount, ...] = ()

    @property
    def addresses(self) -> frozenset[str]:
        """All their mail addresses, in lower case."""
        return frozenset(one.strip().lower() for one in (self.email, *self.more_emails)) - {""}


# --- what is decided -------------------------------------------------------------------------------------------


class Call(Value):
    """A tool and its arguments as plain JSON. `{"$from": N, "field": F}` stands for a field of call N's result."""

    tool: str
    args: dict[str, Any] = Field(default_factory=dict)


StepKind = Literal["call", "reply", "ask", "refuse", "escalate"]
Via = Literal["intent", "model", "cloud"]


class Step(Value):
    """What was decided: tools to call, a reply, a question, a refusal, or to leave the device."""

    kind: StepKind
    calls: tuple[Call, ...] = ()
    missing: tuple[str, ...] = ()
    """For `ask`: the arguments of call `about` that are not known yet."""
    about: int = -1
    """For `ask`: which of the calls is asked about; the last, unless said."""
    choices: tuple[str, ...] = ()
    """For `ask`: what is offered as an answer, in the order in which it is numbered."""
    reply: str = ""
    via: Via = "model"
    outline: tuple[Call, ...] = ()
    """All that the turn may call, where `calls` is only its beginning; fixed before anything is read."""

    @property
    def planned(self) -> tuple[Call, ...]:
        """All calls that were decided on from the user's words."""
        return self.outline or self.calls


class Plan(Value):
    """What `ask --dry-run` prints: DESIGN §6."""

    kind: StepKind
    calls: tuple[Call, ...] = ()
    missing: tuple[str, ...] = ()
    reply: str = ""
    via: Via = "model"
    ms: int = 0
    prompt_tokens: int | None = None
    """Tokens before the user's words; None where no model was asked."""
    uncached_tokens: int | None = None
    """Tokens the model really had to read for this turn."""


def canonical(data: Any) -> str:
    """The one JSON text of `data` (sorted keys, no spaces, UTF-8): what is hashed is what is shown."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(data: Any) -> str:
    """Hex SHA-256 of the canonical JSON of `data`."""
    return hashlib.sha256(canonical(data).encode()).hexdigest()


Trait = Literal["revocable", "lasting", "picks", "egress", "final"]
"""What of a tool the policy knows besides its effect: see `skillkit.manifest.ToolDeclaration`."""


class Action(Value):
    """A tool call with validated, canonical arguments, each with its origin."""

    id: str
    """The operation's id and idempotency key."""
    tool: str
    effect: Effect
    args: dict[str, Any]
    origins: dict[str, Origin] = Field(default_factory=dict)
    sensitive: tuple[str, ...] = ()
    traits: tuple[Trait, ...] = ()
    leaks: tuple[str, ...] = ()
    """Whom it would show what they may not read."""
    session: str = ""

    @property
    def digest(self) -> str:
        """Hash of tool and arguments: an approval is bound to it."""
        return digest({"tool": self.tool, "args": self.args})


class Decision(StrEnum):
    """The policy's answer."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class Verdict(Value):
    """A decision and, as a catalogue key with its data, the reason in plain words."""

    decision: Decision
    reason: str
    data: dict[str, str] = Field(default_factory=dict)
    proof: str = ""
    """What must be typed besides the yes: see `Approval.proof`."""


class PreviewField(Value):
    """One line of an approval, exactly as it will happen."""

    name: str
    value: str
    origin: Origin | None = None


class Prepared(Value):
    """What an outward or money tool returns: the frozen record of what will happen once it is approved.

    `payload` is plain JSON and all that `commit` gets; `fields` and `body` show it to the person.
    """

    title: str
    fields: tuple[PreviewField, ...] = ()
    body: str = ""
    payload: dict[str, Any]

    @property
    def digest(self) -> str:
        """Hash of all that is shown and all that will be done."""
        return digest(self.model_dump(mode="json"))


ApprovalState = Literal["pending", "approved", "refused", "expired", "used"]


class Approval(Value):
    """One yes for one exact action: bound to a hash, used once, expires."""

    id: str
    action: Action
    prepared: Prepared
    bound_to: str
    """Hash over the action's and the prepared record's digests."""
    reason: str
    """Why it is asked, in the user's language."""
    language: Language = "en"
    """The language of the turn it came from: what is said later of this act is said in it."""
    proof: str = ""
    """Not empty: a yes is not enough. The account whose last four characters must be typed, read elsewhere."""
    grant: str = ""
    """`turn:number` of what the turn's mandate allows; it can be used up (`safety.mandate`)."""
    times: int = 0
    """How often that may be done in all; 0 where there is no mandate."""
    state: ApprovalState = "pending"
    session: str = ""
    created_at: datetime
    expires_at: datetime


class OutboxState(StrEnum):
    """The life of an outward act. Only UNKNOWN is looked up before it is tried again."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    SENDING = "SENDING"
    UNKNOWN = "UNKNOWN"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Operation(Value):
    """One outward act in the outbox."""

    id: str
    tool: str
    prepared: Prepared
    state: OutboxState
    session: str = ""
    created_at: datetime
    release_at: datetime
    """It can be undone until then."""
    attempts: int = 0
    reference: str = ""
    """The other side's id, once known."""
    problem: str = ""
    """Why it failed, or why it is not known whether it was done."""


Outcome = Literal["done", "queued", "failed", "cancelled", "unknown"]


class Receipt(Value):
    """Proof that an action was done, or an honest word that it was not."""

    operation: str
    tool: str
    outcome: Outcome
    summary: str
    reference: str = ""
    at: datetime
    undo_until: datetime | None = None


class Observation(Value):
    """What a tool gave back. The model sees `data` fenced as data; the person sees `text`."""

    tool: str
    data: Any = None
    text: str = ""
    origin: Origin
    trusted: tuple[str, ...] = ()
    """Fields of its items that are the assistant's own structure (ids, dates), whatever the origin of the rest."""
    receipt: Receipt | None = None


class Notice(Value):
    """Something the assistant says unasked: a reminder that is due, a mail that could not be sent."""

    id: str
    title: str
    body: str = ""
    skill: str = ""
    at: datetime
    urgent: bool = False


# --- models on the device --------------------------------------------------------------------------------------


class Message(Value):
    """One message of a chat, in the form every chat template knows."""

    role: Literal["system", "user", "assistant"]
    content: str


class Priority(StrEnum):
    """Who waits for the model; the order is the order of service."""

    PERSON = "person"
    AUTOMATION = "automation"
    BACKGROUND = "background"


class Completion(Value):
    """A request to the language model."""

    messages: tuple[Message, ...]
    max_tokens: int = 512
    temperature: float = 0.0
    stop: tuple[str, ...] = ()
    json_schema: dict[str, Any] | None = None
    """Binds the output to this JSON schema."""
    grammar: str | None = None
    """Binds the output to this GBNF grammar; at most one of the two."""
    logprobs: int = 0
    """For how many of the first tokens the top alternatives are wanted."""
    seed: int = 0
    priority: Priority = Priority.PERSON


class TokenProbability(Value):
    """A sampled token, its log-probability, and the likeliest alternatives."""

    token: str
    logprob: float
    top: dict[str, float] = Field(default_factory=dict)


class Usage(Value):
    """Tokens and seconds of one completion."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    prefill_s: float = 0.0
    decode_s: float = 0.0


class Chunk(Value):
    """A piece of a completion; the last one has `finish` set and carries usage and log-probabilities."""

    text: str = ""
    finish: Literal["", "stop", "length", "cancelled"] = ""
    usage: Usage | None = None
    logprobs: tuple[TokenProbability, ...] = ()
