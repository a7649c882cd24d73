"""Whether a profile helps the model on the device: PrefEval's multiple choice, without it, with it, and at its best.

The prompt is the product's own, the question its last message; the answer is one letter, held to by a grammar, at
temperature 0. `none`: an empty profile. `oracle`: a profile in which only the one right preference was ever said, and
it is recalled. `retrieved`: it was said after 300 turns of chat, all through the write path, and digest and search
bring it into the prompt or don't. The options stand in an order drawn by seed.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant.conversation import prompt
from assistant.models import Completion, Message, UserContext
from assistant.ports import LanguageModel
from assistant.resources import bundled
from assistant.skillkit.loader import Skills
from bench.memory.home import NOW, Home, Workshop, mean
from bench.memory.public import Choice, prefeval, prefeval_choices
from bench.memory.recalling import CHATTER, Figures, feed, some

_LETTERS = "ABCD"
_GRAMMAR = 'root ::= "reply: " [A-D]'
_TOKENS = 12
_SEED = 7
_CONDITIONS = ("none", "oracle", "retrieved")
FIGURES = (
    "lift_none",
    "lift_oracle",
    "lift_retrieved",
    "lift_se",
    "lift_of_oracle",
    "lift_points",
    "lift_n",
)
_ASKS = "Which of these suits me best? Answer with its letter."


@dataclass(frozen=True)
class _Asked:
    """A question as it is put: the right letter, and the prompt under each condition."""

    right: str
    prompts: dict[str, tuple[Message, ...]]


async def measured(shop: Workshop, folder: Path, most: int) -> Figures:
    """The share of right letters under each condition, what the profile is worth, and the standard error of that."""
    if shop.model is None:
        return {}
    asked = await _asked(shop, folder, some(prefeval_choices(folder), most))
    known: dict[tuple[Message, ...], str] = {}
    right: dict[str, list[float]] = {}
    began = time.monotonic()
    for condition in _CONDITIONS:  # one after the other: what their prompts begin with stays read
        right[condition] = []
        for one in asked:
            messages = one.prompts[condition]
            if messages not in known:
                known[messages] = await _letter(shop.model, messages)
            right[condition].append(float(known[messages] == one.right))
        _tell(condition, right[condition], time.monotonic() - began)
    return _figures(right)


def _figures(right: dict[str, list[float]]) -> Figures:
    none, oracle, retrieved = (mean(right[condition]) for condition in ("none", "oracle", "retrieved"))
    gains = [after - before for after, before in zip(right["retrieved"], right["none"], strict=True)]
    gain = mean(gains)
    spread = statistics.stdev(gains) if len(gains) > 1 else None
    return {
        "lift_none": none,
        "lift_oracle": oracle,
        "lift_retrieved": retrieved,
        "lift_se": 100 * spread / math.sqrt(len(gains)) if spread is not None else None,
        "lift_of_oracle": retrieved / oracle if oracle and retrieved is not None else None,
        "lift_points": 100 * gain if gain is not None else None,
        "lift_n": len(gains),
    }


async def _asked(shop: Workshop, folder: Path, choices: Sequence[Choice]) -> list[_Asked]:
    """All prompts, before the language model takes the machine for itself."""
    _, chatter = prefeval(folder, CHATTER)
    skills = Skills()
    skills.load_bundled(bundled("skills"), {})
    found = []
    with shop.home() as alone, shop.home() as home:
        feed(home, chatter)
        await home.profile.settle()
        for number, choice in enumerate(choices):
            text, right = _put(choice, number)
            found.append(
                _Asked(
                    right,
                    {
                        "none": _prompt(skills, "", (), text),
                        "oracle": await _told(skills, alone, choice, text, certain=True),
                        "retrieved": await _told(skills, home, choice, text, certain=False),
                    },
                )
            )
    return found


async def _told(skills: Skills, home: Home, choice: Choice, text: str, *, certain: bool) -> tuple[Message, ...]:
    """The prompt for a user who said the preference; `certain` is whether it is recalled whatever the search finds."""
    source = home.hear("it", choice.preference, "en", thread="it")
    await home.profile.settle()
    earlier = [choice.preference] if certain else await home.profile.earlier(choice.question, talk=False)
    made = _prompt(skills, home.profile.digest("en", private=True), earlier, text)
    home.profile.take_back(source)
    return made


def _prompt(skills: Skills, digest: str, earlier: Sequence[str], text: str) -> tuple[Message, ...]:
    system = prompt.system("Assistant", UserContext(), skills, NOW, digest)
    return prompt.messages(system, (), (), text, earlier)


def _put(choice: Choice, number: int) -> tuple[str, str]:
    """The question with its options in an order of its own, and the letter of the right one."""
    order = list(range(len(choice.options)))
    random.Random(f"{_SEED}:{number}:{choice.question}").shuffle(order)
    options = [f"{letter}. {choice.options[place]}" for letter, place in zip(_LETTERS, order, strict=True)]
    return "\n".join([choice.question, *options, _ASKS]), _LETTERS[order.index(0)]


async def _letter(model: LanguageModel, messages: tuple[Message, ...]) -> str:
    request = Completion(messages=messages, grammar=_GRAMMAR, max_tokens=_TOKENS)
    written = "".join([chunk.text async for chunk in model.complete(request)])
    return written.removeprefix(prompt.REPLY).strip()


def _tell(condition: str, right: list[float], seconds: float) -> None:
    print(f"{condition}: {mean(right) or 0:.3f} of {len(right)}, {seconds / 60:.0f} min", file=sys.stderr, flush=True)
