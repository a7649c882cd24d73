"""A skill's `sentences.yaml`, read leniently: what can be used of it, and what can't, with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from assistant.locale.catalogue import LANGUAGES
from assistant.skillkit.manifest import Lookup
from assistant.skillkit.marked import line_of, parse
from assistant.skillkit.problems import Fault
from assistant.skillkit.schema import ToolSchema
from assistant.skillkit.templates import RULES, SLOT, expanded, fault, unknown_slots

_CODE = "skillkit.sentences"
Templates = dict[str, dict[str, list[dict[str, Any]]]]
"""By language and full tool name: entries `{sentences: [...], args: {...}}`."""


def read_sentences(
    file: Path, tools: Mapping[str, ToolSchema], lookups: Mapping[str, tuple[Lookup, ...]]
) -> tuple[Templates, list[Fault]]:
    """The templates that can be used, and what is wrong with the others.

    tools: by full name; lookups: the manifest's, whose selectors a sentence may name as well
    """
    try:
        tree = parse(file.read_text(encoding="utf-8"), f"{_CODE}.not_yaml")
    except UnicodeDecodeError as error:
        return {}, [Fault(f"{_CODE}.not_yaml", line=1, problem=str(error)[:200])]
    except Fault as unread:
        return {}, [unread]
    if tree is None:
        return {}, []
    reader = _Reader(tree, tools, lookups, [])
    return reader.read(), reader.faults


@dataclass(frozen=True)
class _Reader:
    tree: Any
    tools: Mapping[str, ToolSchema]
    lookups: Mapping[str, tuple[Lookup, ...]]
    faults: list[Fault]
    rules: dict[str, dict[str, str]] = field(default_factory=dict)
    """By language."""

    def read(self) -> Templates:
        found: Templates = {}
        for language, tools in self._items((), self.tree, "languages"):
            if language not in LANGUAGES:
                self._fault("languages", (language,))
                continue
            self.rules[language] = self._rules(language, tools)
            for tool, entries in self._items((language,), tools, "tools"):
                if tool == RULES:
                    continue
                if tool not in self.tools:
                    self._fault("no_tool", (language, tool), tool=str(tool), known=sorted(self.tools))
                elif not isinstance(entries, list):
                    self._fault("entries", (language, tool))
                else:
                    read = [self._entry((language, tool, number), entry) for number, entry in enumerate(entries)]
                    found.setdefault(language, {})[tool] = [entry for entry in read if entry["sentences"]]
        return found

    def _rules(self, language: str, tools: Any) -> dict[str, str]:
        """The parts that the language's sentences share."""
        rules = tools.get(RULES) if isinstance(tools, Mapping) else None
        if rules is None:
            return {}
        if not isinstance(rules, Mapping) or not all(isinstance(text, str) for text in rules.values()):
            self._fault("rules", (language, RULES))
            return {}
        return {str(name): str(text) for name, text in rules.items()}

    def _items(self, path: tuple[str | int, ...], value: Any, fault: str) -> Iterator[tuple[Any, Any]]:
        if isinstance(value, Mapping):
            yield from value.items()
        else:
            self._fault(fault, path)

    def _entry(self, path: tuple[str | int, ...], entry: Any) -> dict[str, Any]:
        """One entry; without sentences where it can't be used."""
        if not _is_entry(entry):
            self._fault("entry", path)
            return {"sentences": []}
        sentences, args = entry["sentences"], entry.get("args") or {}
        known = self._arguments(str(path[1]))
        fitting = [self._argument_fits((*path, "args", name), name, value, known) for name, value in args.items()]
        usable = [
            whole
            for number, one in enumerate(sentences)
            if (whole := self._expanded((*path, "sentences", number), one))
            and self._sentence_fits((*path, "sentences", number), whole)
        ]
        plain = {str(name): list(value) if isinstance(value, list) else value for name, value in args.items()}
        return {"sentences": usable if all(fitting) else [], "args": plain}

    def _expanded(self, path: tuple[str | int, ...], sentence: str) -> str:
        """The sentence without rules; empty where one of them is unknown or stands in itself."""
        rules = self.rules[str(path[0])]
        try:
            return expanded(str(sentence), rules)
        except (KeyError, RecursionError):
            self._fault("unknown_rule", path, sentence=sentence, known=sorted(rules))
            return ""

    def _sentence_fits(self, path: tuple[str | int, ...], sentence: str) -> bool:
        names = {name for tool in self.tools.values() for name in tool.properties}
        problem = fault(sentence, names)
        if problem:
            slots = [f"{{{slot}}}" for slot in unknown_slots(sentence, names)]
            self._fault(problem, path, sentence=sentence, slots=slots, known=sorted(names))
        return not problem

    def _argument_fits(self, path: tuple[str | int, ...], name: Any, value: Any, known: Mapping[str, Any]) -> bool:
        if name not in known:
            self._fault("unknown_argument", path, tool=str(path[1]), argument=str(name), known=sorted(known))
            return False
        argument = known[name]
        if isinstance(value, str) and SLOT.search(value):  # what it becomes is known when somebody says it
            return True
        try:
            for one in value if argument.many and isinstance(value, list) else [value]:
                argument.kind.read(one, ZoneInfo("UTC"))
        except (ValueError, OverflowError):
            kinds = list(argument.choices) or [argument.type]
            self._fault("bad_value", path, argument=name, value=str(value)[:80], kinds=kinds)
            return False
        return True

    def _arguments(self, tool: str) -> dict[str, Any]:
        """What a sentence of the tool may name: its arguments, and those that one of them is looked up by."""
        own = {one.name: one for one in self.tools[tool].arguments}
        skill = tool.partition(".")[0]
        for argument in own.keys() & self.lookups.keys():
            for lookup in self.lookups[argument]:
                finder = self.tools[f"{skill}.{lookup.tool}"]
                own = {name: finder.argument(name) for name in lookup.by} | own
        return own

    def _fault(self, kind: str, path: tuple[str | int, ...], **data: Any) -> None:
        self.faults.append(Fault(f"{_CODE}.{kind}", line=line_of(self.tree, *path), **data))


def _is_entry(entry: Any) -> bool:
    """Whether it has sentences, perhaps `args`, and nothing else."""
    if not isinstance(entry, Mapping) or entry.keys() - {"sentences", "args"}:
        return False
    sentences, args = entry.get("sentences"), entry.get("args")
    texts = isinstance(sentences, list) and all(isinstance(one, str) for one in sentences)
    return texts and (args is None or isinstance(args, Mapping))
