"""The prefilter leaves out no template that hassil would match, and most of all others."""

from __future__ import annotations

import random
from itertools import islice

import pytest
from hassil import parse_sentence
from hassil.sample import sample_sentence

from assistant.conversation.prefilter import Prefilter, clauses, keys_of
from assistant.conversation.template import Rules, Template
from assistant.kept import Kept
from assistant.locale.catalogue import read
from assistant.resources import bundled
from assistant.skillkit.templates import RULES


def _templates(language: str) -> list[Template]:
    files = [read(file).get(language, {}) for file in sorted(bundled("skills").glob("*/sentences.yaml"))]
    return [
        Template(tool, sentence, {}, rules)
        for file in files
        for rules in [Rules(file.get(RULES, {}))]
        for tool, entries in file.items()
        if tool != RULES
        for entry in entries
        for sentence in entry["sentences"]
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_sentence_loses_the_template_that_it_is_made_of(language: str) -> None:
    templates = _templates(language)
    prefilter = Prefilter(templates, keys_of(language, templates, [], Kept()))
    chosen = random.Random(7).sample(range(len(templates)), 120)
    assert len(templates) > 1000
    for number in chosen:
        for said in islice(sample_sentence(parse_sentence(templates[number].whole), expand_lists=False), 6):
            assert number in prefilter.candidates(said.upper()), (templates[number].sentence, said)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_few_templates_are_left_for_a_sentence_that_is_like_none(language: str) -> None:
    templates = _templates(language)
    prefilter = Prefilter(templates, keys_of(language, templates, [], Kept()))
    assert len(prefilter.candidates("Elephants never sleep" if language == "en" else "大象从不睡觉")) < 5


@pytest.mark.parametrize(
    ("template", "needed"),
    [
        ("what is new", {("what",), ("is",), ("new",)}),
        ("(show|list) [all] mail", {("show", "list"), ("mail",)}),
        ("(show [me]|give me) it", {("show", "give"), ("it",)}),
        ("([please] stop|{what})", set()),
        ("who's {contact}", {("who",), ("s",)}),
        ("(a;b) c", set()),
    ],
)
def test_what_a_template_needs(template: str, needed: set[tuple[str, ...]]) -> None:
    assert set(clauses(template)) == needed
