"""The grammar of a planner step (GBNF), and the reading of what was written in it.

A line is `reply: …` or `act: skill.tool(argument="…")`. Times, amounts, numbers and accounts are literals of the
sentence, every other text is a run of its words: what was not said can't be written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.conversation.arguments import ACCOUNTS
from assistant.conversation.filling import SLOTS_OF
from assistant.conversation.people import account_names
from assistant.conversation.prompt import ACT, REPLY, offered
from assistant.conversation.spans import Masked
from assistant.models import UserContext
from assistant.skillkit.loader import Skills, Tool
from assistant.skillkit.schema import Argument
from assistant.values import Interval, Moment
from assistant.values.runs import literal, runs

_FOLDER = re.compile(
    r"inbox|sent|draft|spam|junk|trash|bin|archive|folder|收件|已发|发件|草稿|垃圾|回收|归档|存档|文件夹|目录"
    r"|posteingang|gesendet|entw|papierkorb|ordner|réception|envoy|brouillon|corbeille|dossier"
    r"|entrada|enviad|borrador|papelera|carpeta|受信|送信|下書き|ゴミ箱|フォルダ",
    re.IGNORECASE,
)
MOST_CALLS = 2
_CALL = re.compile(r'([a-z_]+\.[a-z_]+)\(((?:[^"()]|"(?:[^"\\]|\\.)*")*)\)')
_ARGUMENT = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|true)')


@dataclass(frozen=True)
class Written:
    """A call as the model wrote it."""

    tool: str
    args: Mapping[str, str | bool]


def step_grammar(tools: Sequence[Tool], skills: Skills, masked: Masked, user: UserContext, *, talk: bool = True) -> str:
    """GBNF of a step over these tools for this sentence; without `talk` it can only act."""
    rules = [
        f"root ::= {' | '.join([*['reply'] * (talk or not tools), *['act'] * bool(tools)])}",
        f"reply ::= {literal(REPLY)} [^\\n] [^\\x00]*",
    ]
    if tools:
        rules += _runs(masked.said)
        names = " | ".join(f"t{number}" for number in range(len(tools)))
        rules += [f'act ::= {literal(ACT)} one ("\\n" one){{0,{MOST_CALLS - 1}}}', f"one ::= {names}"]
    for number, tool in enumerate(tools):
        values = {name: _value(one, masked, user) for name, one in offered(tool, skills).items()}
        rules += _tool_rules(number, tool.name, {name: value for name, value in values.items() if value})
    return "\n".join(rules) + "\n"


def read_calls(written: str) -> list[Written]:
    """The calls of a step; a cut-off one is left out."""
    return [
        Written(
            match[1],
            {
                name: True if value == "true" else str(json.loads(value, strict=False))
                for name, value in _ARGUMENT.findall(match[2])
            },
        )
        for match in _CALL.finditer(written)
    ]


def _runs(said: str) -> list[str]:
    """`text`: any run of the words of the sentence, in quotes."""
    rules = runs("run", [said], _escaped)
    return ['text ::= "\\"" run "\\""', *rules] if rules else ['text ::= "\\"" [^"\\\\\\n]+ "\\""']


def _tool_rules(number: int, name: str, values: Mapping[str, str]) -> list[str]:
    """`name(` any of the arguments, each at most once and in order `)`."""
    if not values:
        return [f"t{number} ::= {literal(name + '()')}"]
    last = len(values) - 1
    rules = [f't{number} ::= {literal(name + "(")} f{number}x0? ")"']
    for place, (argument, value) in enumerate(values.items()):
        more = f" m{number}x{place + 1}" if place < last else ""
        other = f" | f{number}x{place + 1}" if place < last else ""
        rules.append(f"a{number}x{place} ::= {literal(argument + '=')} {value}")
        rules.append(f"f{number}x{place} ::= a{number}x{place}{more}{other}")
        if place:
            rules.append(f'm{number}x{place} ::= (", " a{number}x{place})?{more}')
    return rules


def _value(argument: Argument, masked: Masked, user: UserContext) -> str:
    """The rule body of an argument's value; empty where the sentence has nothing for it."""
    if argument.type == "bool":
        return '"true"'
    if argument.type == "choice":
        return _alternatives(argument.choices)
    if argument.name in ACCOUNTS:
        said = masked.said.casefold()
        return _alternatives([word for word in account_names(user) if word.casefold() in said])
    if argument.name == "folder" and not _FOLDER.search(masked.said):
        return ""  # a small model gives it whatever is left over
    if argument.name == "recurrence":
        return _alternatives([span.text for span in masked.spans if _repeats(span.value)])
    if kinds := SLOTS_OF.get(argument.type):
        places = sorted({index for kind in kinds for index in masked.of_kind(kind)})
        return _alternatives([masked.spans[index].text for index in places])
    return "text"


def _repeats(value: object) -> bool:
    return isinstance(value, Moment | Interval) and bool(value.recurrence)


def _alternatives(words: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(words))
    return f"({' | '.join(literal(_quoted(word)) for word in distinct)})" if distinct else ""


def _quoted(word: str) -> str:
    return f'"{_escaped(word)}"'


def _escaped(text: str) -> str:
    """As it stands between quotes."""
    return json.dumps(text, ensure_ascii=False)[1:-1]
