"""What is known of the user, as values: what was said, the facts that were read in it, and what answers a question."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from assistant.models import Value

Source = Literal["said", "wrote", "heard"]
"""said: the user's own words to the assistant. wrote: the user's own words to others. heard: somebody else's words,
which never become a fact about the user."""


What = Literal["added", "confirmed", "superseded", "ended", "pinned", "unpinned", "folded", "gained", "joined"]
"""What became of a fact. By a night: folded: it says the same as another, which counts for both. gained: another was
folded into it. joined: whom it is about is called by another of their names."""


class Evidence(Value):
    """Words as they were said, the ground of every fact. Appended, never changed; only forgetting removes them."""

    id: int
    source: str
    """What it was: `turn:<id>`, `mail:<id>`, …; the same one is kept once."""
    origin: Source
    speaker: str = ""
    """Who said it; empty is the user."""
    thread: str = ""
    """The conversation it was said in: what comes before and after it there belongs to it."""
    language: str
    text: str
    at: datetime


class Fact(Value):
    """One thing that is known, with when it was said, when it held and what took its place."""

    id: str
    kind: str
    predicate: str
    """Of `profile/kinds.yaml`."""
    subject: str = ""
    """Whose it is; empty is the user."""
    topic: str = ""
    """What of: the colour of a favourite colour."""
    value: str
    text: str
    """The words that state it."""
    language: str
    confidence: float
    """0…1."""
    evidences: int = 1
    """How many times it was stated."""
    origin: Source
    observed_at: datetime
    """When it was last stated first-hand; the others follow from that."""
    valid_from: datetime
    valid_to: datetime | None = None
    """None where it still holds."""
    recorded_at: datetime
    last_confirmed_at: datetime
    superseded_by: str | None = None
    folded: bool = False
    """It says the same as what superseded it, and holds as long as that does."""
    review_at: datetime | None = None
    """From then on it may well have changed; None is never."""
    pinned: bool = False


class Statement(Value):
    """A fact that words state, before it is kept."""

    predicate: str
    subject: str = ""
    topic: str = ""
    value: str
    text: str
    language: str
    ends: bool = False
    """It says that this holds no longer."""


class Change(Value):
    """One entry of a profile's history."""

    id: int
    batch: str
    """What belongs together and is taken back together."""
    at: datetime
    what: What
    fact: str


class Deed(Value):
    """One entry of what the user had done through the assistant."""

    what: Literal["meant", "done", "undone"]
    operation: str
    at: datetime
    tool: str = ""
    args: dict[str, Any] = Field(default_factory=dict)
    """`meant` only: the arguments that the user named or that are known of them; none that was read elsewhere."""


class Habit(Value):
    """What the user usually chooses for an argument of a tool."""

    id: str
    tool: str
    slot: str
    """The argument."""
    value: str
    """As the tool takes it; a time of day is `T07:30`."""
    times: int
    of: int
    """It was chosen so often out of so many times."""
    about: str = ""
    """What it is chosen for, where it is for one thing alone: whom, or what of."""
    view: str = "always"
    """The situation in which it is so: `workday`, `weekend`, `day0` (Monday), `morning`, `weekend.morning` …"""


class Recalled(Value):
    """Words that answer a question, best first, with the facts that were read in them."""

    evidence: Evidence
    score: float
    facts: tuple[Fact, ...] = ()


class Forgotten(Value):
    """What became of a wish to forget."""

    count: int
    """How many facts there were."""
    left: tuple[str, ...] = ()
    """Exports that may still hold it, because they were changed or moved since they were made."""


class Pause(Value):
    """A time in which nothing is learned."""

    since: datetime
    until: datetime | None = None
    """None is: until the user says so."""


class Taken(Value):
    """What an import brought, in facts."""

    added: int = 0
    confirmed: int = 0
    """Known already, and stated once more."""
    superseded: int = 0
    """Of those that were known: what holds no longer, because the import knows better."""
    left_out: int = 0
    """Of a topic that is never to be learned."""


class ProfileStats(Value):
    """How much is known, and what is kept from being learned."""

    facts: int
    """That hold now."""
    past: int
    """That hold no longer."""
    evidence: int
    """Pieces of what was said."""
    kinds: dict[str, int]
    """Facts that hold now, by kind."""
    pinned: int
    since: datetime | None
    """When the first words were said."""
    never: tuple[str, ...]
    """Topics of which nothing is learned, those of the settings too."""
    learns: bool
    """False where the settings or a pause keep it from that."""
    pause: Pause | None
    exports: tuple[str, ...]
    """Files that were written, wherever they are now."""
