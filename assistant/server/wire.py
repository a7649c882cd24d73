"""What clients send: typed, bounded, nothing unknown in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from assistant.models import Surface, UserContext

MOST_TEXT = 20_000
SESSION = r"^[\w.:@-]+$"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TurnBody(_Body):
    """One thing said."""

    text: str = Field(min_length=1, max_length=MOST_TEXT)
    session: str = Field("default", pattern=SESSION, max_length=100)
    surface: Surface = "api"
    language: str | None = Field(None, max_length=20)
    attachments: list[str] = Field(default_factory=list, max_length=20)
    present: bool = True


class PlanBody(_Body):
    """Something to plan without doing it."""

    text: str = Field(min_length=1, max_length=MOST_TEXT)
    now: datetime | None = None
    context: UserContext | None = None
    language: str | None = Field(None, max_length=20)


class DecisionBody(_Body):
    """The answer to an approval; `bound_to` is the hash of what was shown.

    `proof`: where the approval has one, the last four characters of the account, as the person typed them.
    """

    decision: Literal["approve", "refuse"]
    bound_to: str | None = Field(None, max_length=200)
    proof: str = Field("", max_length=100)
    surface: Surface = "api"

    @model_validator(mode="after")
    def _yes_to_what(self) -> Self:
        if self.decision == "approve" and self.bound_to is None:
            raise PydanticCustomError("unbound", "a yes needs bound_to, the hash of what was shown")
        return self


class SessionBody(_Body):
    """A session by name."""

    session: str = Field("default", pattern=SESSION, max_length=100)


class ResolutionBody(_Body):
    """Whether an act whose outcome was unknown did happen."""

    happened: bool


def _in_utc(moment: datetime | None) -> datetime | None:
    """Within the calendar in UTC too: the first and the last day have times that are not. Raises ValueError."""
    try:
        return moment and moment.astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise ValueError("no such moment") from error


class AuditQuery(_Body):
    """Which audit entries are wanted."""

    limit: int = Field(100, ge=1, le=10_000)
    since: datetime | None = None

    @field_validator("since")
    @classmethod
    def _is_within_the_calendar(cls, since: datetime | None) -> datetime | None:
        return _in_utc(since)


class ModelBody(_Body):
    """A model by name."""

    name: str = Field(min_length=1, max_length=200)


class TurnMessage(TurnBody):
    """A turn on the event socket."""

    v: Literal[1] = 1
    type: Literal["turn"]


class FactsQuery(_Body):
    """Which facts: those of now, of a moment, or all that ever were."""

    as_of: datetime | None = None
    history: bool = False


class PinBody(_Body):
    """Whether a fact is kept in sight."""

    pinned: bool


class EditBody(_Body):
    """Another value of a fact, in the user's words."""

    value: str = Field(min_length=1, max_length=1000)


class ExportBody(_Body):
    """Where the profile is written to; without a file, to one in the assistant's own folder."""

    format: Literal["json", "markdown"] = "json"
    file: str = Field("", max_length=4000)


class ExportQuery(_Body):
    """As what the profile is given."""

    format: Literal["json", "markdown"] = "json"


class ImportBody(_Body):
    """A file that an export wrote, by its whole path."""

    file: str = Field(min_length=1, max_length=4000)


class PauseBody(_Body):
    """Until when nothing is learned; null is until it is taken up again."""

    until: datetime | None = None

    @field_validator("until")
    @classmethod
    def _is_within_the_calendar(cls, until: datetime | None) -> datetime | None:
        return _in_utc(until)


class TopicBody(_Body):
    """A topic of which nothing is learned, or is again."""

    topic: str = Field(min_length=1, max_length=200)
    never: bool = True


class UndoneBody(_Body):
    """What is taken back; empty is the newest change."""

    batch: str = Field("", max_length=200)
