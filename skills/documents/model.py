"""What the language model is asked: for an answer to a question, and whether a line answers it. It gets no tools."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from assistant.skillkit import Completion, Context, Message, Priority

from .evidence import Excerpt
from .rank import Line

_ANSWER = 160
_TOKENS = 64
_SHORT = 300
_NOTHING = (
    "null",
    "none",
    "n/a",
    "unknown",
    "not stated",
    "not mentioned",
    "无",
    "未知",
    "没有提到",
    "未提及",
    "不知道",
)
_UNLIKELY = -20.0
_MARKS = re.compile(r"[{}\[\]\"]+")
_SCHEMA = {
    "type": "object",
    "properties": {"answer": {"anyOf": [{"type": "string", "maxLength": _ANSWER}, {"type": "null"}]}},
    "required": ["answer"],
    "additionalProperties": False,
}


async def propose(ctx: Context, question: str, shown: Sequence[Excerpt]) -> str:
    """The model's answer from the excerpts; "" where it finds none. Raises EngineError."""
    blocks = []
    for number, excerpt in enumerate(shown, 1):
        inside = "\n".join(_harmless(("# " if line.heading else "") + line.text) for line in excerpt.lines)
        blocks.append(f"<excerpt {number}: {_harmless(excerpt.entry.name)}>\n{inside}\n</excerpt {number}>")
    asked = ctx.text("documents.ask_form", question=_harmless(question[:_SHORT]))
    request = Completion(
        messages=(
            Message(role="system", content=ctx.text("documents.prompt")),
            Message(role="user", content="\n".join([*blocks, "", asked])),
        ),
        max_tokens=_TOKENS,
        json_schema=_SCHEMA,
        priority=Priority.PERSON,
    )
    written = "".join([chunk.text async for chunk in ctx.model.complete(request)])
    return _read(written)


def _read(written: str) -> str:
    try:
        found = json.loads(written)
    except ValueError:  # cut off at its longest: then it is no short answer
        return ""
    answer = found.get("answer") if isinstance(found, dict) else None
    text = " ".join(answer.split()) if isinstance(answer, str) else ""
    if text.startswith(("{", "[")):  # small models like to nest: the last value is what was asked
        text = _MARKS.sub(" ", text.rpartition(": ")[2]).strip()
    return "" if text.casefold().strip(" .。") in _NOTHING else text


async def search_words(ctx: Context, question: str) -> list[str]:
    """Words of both languages that a text with the answer may have, as the model guesses. Raises EngineError."""
    words = {"type": "array", "items": {"type": "string", "maxLength": 24}, "minItems": 2, "maxItems": 4}
    request = Completion(
        messages=(
            Message(role="system", content=ctx.text("documents.words_prompt")),
            Message(role="user", content=ctx.text("documents.ask_form", question=_harmless(question[:_SHORT]))),
        ),
        max_tokens=_TOKENS,
        json_schema={
            "type": "object",
            "properties": {"en": words, "zh": words},
            "required": ["en", "zh"],
            "additionalProperties": False,
        },
        priority=Priority.PERSON,
    )
    written = "".join([chunk.text async for chunk in ctx.model.complete(request)])
    guessed = re.findall(r'"((?:[^"\\]|\\.)+)"', written)  # of an answer that was cut off, what is there
    return [word for word in dict.fromkeys(guessed) if word not in ("en", "zh")]


async def confidence(ctx: Context, question: str, line: Line) -> float:
    """The log-odds of the model's yes to "does this text contain the answer?". Raises EngineError.

    The text is the line with its file's name, its heading and its two neighbours.
    """
    lines = line.passage.lines[max(line.at - 1, 0) : line.at + 2]
    parts = (line.entry.path.stem, line.section, *lines)
    text = "\n".join(dict.fromkeys([_harmless(part.removeprefix("# ")) for part in parts if part]))
    user = ctx.text("documents.check_form", text=text, question=_harmless(question[:_SHORT]))
    request = Completion(
        messages=(
            Message(role="system", content=ctx.text("documents.check_prompt")),
            Message(role="user", content=user),
        ),
        max_tokens=2,
        grammar='root ::= "yes" | "no"',
        logprobs=1,
        priority=Priority.PERSON,
    )
    written, top = "", dict[str, float]()
    async for chunk in ctx.model.complete(request):
        written += chunk.text
        top = top or (chunk.logprobs[0].top if chunk.logprobs else {})
    if not top:  # a model that tells no probabilities: its word alone
        return 2.0 if written.startswith("yes") else -2.0
    return _likeliest(top, ("yes", "Yes")) - _likeliest(top, ("no", "No"))


def _likeliest(top: dict[str, float], words: Sequence[str]) -> float:
    return max(top.get(word, _UNLIKELY) for word in words)


def _harmless(text: str) -> str:
    """Nothing in a file can look like the end of its fence."""
    return text.replace("<", "‹").replace(">", "›")
