"""What the daemon and `host` say to each other inside MCP: contexts, results, errors.

Everything from a host is untrusted. Knows neither processes nor the MCP library: plain JSON in, our own values out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from assistant.errors import AccountError, AskAgain, Conflict, NotConfigured, NotFound, Rejected, SkillFailed
from assistant.models import Label, Language, Origin, Prepared, PreviewField, Value, canonical
from assistant.skillkit.context import Context
from assistant.skillkit.declare import Result, Uncertain
from assistant.skillkit.schema import Argument

CONTEXT_KEY = "assistant/context"
"""In the `_meta` of a request (MCP 2025-11-25): the call's context."""
DESCRIBE = "assistant.describe"
COMMIT = "assistant.commit"
RECONCILE = "assistant.reconcile"
UNDO = "assistant.undo"
FIRES = "assistant.fires"
HIDDEN = (DESCRIBE, COMMIT, RECONCILE, UNDO, FIRES)
"""Tools that a host offers to the daemon alone: they are not listed."""
BROKEN = 3
"""A host's exit status where its skill can't be loaded; the last line on stderr says why."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")
_BRACE = re.compile(r"\{(\w+)\}|[{}]")
_TEXT = 20_000
_LINE = 500
# C0 and C1 controls but newline and tab would steer a terminal; bidirectional overrides would disguise a line.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ERRORS: dict[str, type[SkillFailed]] = {
    one.__name__: one for one in (SkillFailed, NotConfigured, AccountError, NotFound, Conflict, Rejected)
}


class CallContext(Value):
    """As much of a `Context` as a skill outside the program gets."""

    language: Language = "en"
    now: datetime
    zone: str
    settings: dict[str, Any] = Field(default_factory=dict)
    operation: str = ""


class Problem(Value):
    """An error of the skill: the class's name, and the sentences in the call's language."""

    kind: str
    message: str
    mend: str = ""
    missing: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    details: str = ""
    """Of a bug: the traceback, or what it returned. For the log alone."""


class Mistake(Value):
    """Something wrong in the skill's files: the code and the data of a `Fault`."""

    code: str = Field(pattern=r"^(skillkit|config)(\.[a-z_]+)+$")
    data: dict[str, int | str | list[str]] = Field(default_factory=dict)

    @field_validator("data")
    @classmethod
    def _is_fit_to_show(cls, data: dict[str, int | str | list[str]]) -> dict[str, int | str | list[str]]:
        return {
            key: clean(value, _LINE)
            if isinstance(value, str)
            else [clean(one, 60) for one in value[:40]]
            if isinstance(value, list)
            else value
            for key, value in data.items()
        }


class DescribedTool(Value):
    """A tool as its code has it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,60}$")
    description: str
    arguments: tuple[Argument, ...] = Field(max_length=40)

    @field_validator("arguments")
    @classmethod
    def _are_fit_to_show(cls, arguments: tuple[Argument, ...]) -> tuple[Argument, ...]:
        """Names and descriptions go into prompts and grammars: names are names, texts are short."""
        if any(not _NAME.fullmatch(one.name) or len(one.choices) > 100 for one in arguments):
            raise ValueError("an argument's name or choices are not fit")
        return tuple(
            one.model_copy(
                update={
                    "description": clean(one.description, 200),
                    "choices": tuple(clean(choice, 60) for choice in one.choices),
                }
            )
            for one in arguments
        )


class Template(Value):
    """Sentences that mean one call."""

    sentences: tuple[str, ...] = Field(max_length=1000)
    args: dict[str, Any] = Field(default_factory=dict)


class Description(Value):
    """Everything about a skill that its code and data files say."""

    tools: tuple[DescribedTool, ...] = Field(max_length=100)
    sentences: dict[Literal["en", "zh"], dict[str, tuple[Template, ...]]] = Field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = Field(default=(), max_length=200)
    """What of the sentences can't be used."""
    questions: dict[Literal["en", "zh"], dict[str, str]] = Field(default_factory=dict)
    """How to ask for an argument, by its name."""


class OddAnswer(Exception):
    """The host answered something that this protocol does not know."""


def context_of(ctx: Context) -> dict[str, Any]:
    """The part of `ctx` that goes to a host, as JSON."""
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in ctx.settings.items()}
    context = CallContext(
        language=ctx.language, now=ctx.now, zone=ctx.zone.key, settings=settings, operation=ctx.operation
    )
    return context.model_dump(mode="json")


def clean(text: str, limit: int = _TEXT) -> str:
    """Text that may be shown: bounded, without characters that steer a terminal or disguise the order of words."""
    text = _UNSAFE.sub("", text)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def result_of(answer: Mapping[str, Any]) -> Result:
    """A read's or write's answer. Raises OddAnswer."""
    try:
        said = Result.model_validate(answer)
        canonical([said.data, said.undo]).encode()
    except (ValidationError, ValueError, RecursionError) as error:
        raise OddAnswer(str(error)) from error
    sources = tuple(clean(source, _LINE) for source in said.sources[:20])
    return said.model_copy(update={"text": clean(said.text), "sources": sources})


def prepared_of(answer: Any, skill: str) -> Prepared:
    """A prepared outward act. Whatever origin the skill claims for a field, it is untrusted. Raises OddAnswer."""
    try:
        prepared = Prepared.model_validate(answer)
        canonical(prepared.payload).encode()
    except (ValidationError, ValueError, RecursionError) as error:
        raise OddAnswer(str(error)) from error
    origin = Origin(label=Label.UNTRUSTED, source=skill)
    fields = tuple(
        PreviewField(name=clean(one.name, _LINE), value=clean(one.value), origin=origin) for one in prepared.fields[:50]
    )
    return prepared.model_copy(
        update={"title": clean(prepared.title, _LINE), "fields": fields, "body": clean(prepared.body, 100_000)}
    )


def mistake_in(line: str) -> Mistake | None:
    """What a host that can't load its skill said last; None where it said something else."""
    try:
        return Mistake.model_validate_json(line)
    except ValidationError:
        return None


def askable(questions: Mapping[str, str]) -> dict[str, str]:
    """The questions as the daemon may format them: a placeholder is a name and nothing else (`{x:999999999}`)."""
    return {
        name: _BRACE.sub(lambda found: found[0] if found[1] else found[0] * 2, clean(text, 200))
        for name, text in questions.items()
        if _NAME.fullmatch(name)
    }


def details_in(answer: Any) -> str:
    """What an error's author needs to know of it, fit for a log; empty where it is no bug."""
    return clean(str(answer.get("details") or "")) if isinstance(answer, Mapping) else ""


def raise_problem(answer: Any, skill: str) -> None:
    """Raise what the skill raised. Raises OddAnswer if it is not an error of the protocol."""
    try:
        problem = Problem.model_validate(answer)
    except ValidationError as error:
        raise OddAnswer(str(error)) from error
    message, mend = clean(problem.message), clean(problem.mend)
    if problem.kind == "Uncertain":
        raise Uncertain(message)
    if problem.kind == "AskAgain":
        missing = [clean(one, 60) for one in problem.missing[:20]]
        choices = [clean(one, _LINE) for one in problem.choices[:20]]
        raise AskAgain("skillkit.said", missing=missing, choices=choices, skill=skill, message=message, mend=mend)
    raise _ERRORS.get(problem.kind, SkillFailed)("skillkit.said", skill=skill, message=message, mend=mend)
