"""Parts that the templates of a file share (`rules`), and where a slot's words stand in what was said."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.conversation.intents import Sentences
from assistant.conversation.spans import mask
from assistant.conversation.template import Rules, Template
from tests.support.talk import NOW

FILE = """
en:
  rules:
    mails: "mail|mails|<post>"
    post: "post|letters"
  a.find:
    - sentences: ["find [all] <mails> (from|by) {sender}"]
  b.find:
    - sentences: ["find [all] mails (from|by) {sender}", "note an expense for {item}"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "sentences.yaml"
    file.write_text(FILE, encoding="utf-8")
    return file


@pytest.mark.parametrize("said", ["find all mails from Bob", "find letters by Bob", "find post from Bob"])
def test_a_rule_stands_for_what_the_file_says(file: Path, said: str) -> None:
    found = Sentences([file]).match(mask(said, NOW), "en")
    assert found is not None
    assert (found.tool, found.slots) == ("a.find", {"sender": "Bob"})


def test_a_template_without_its_rules() -> None:
    rules = Rules({"mails": "mail|<post>", "post": "post|letters"})
    template = Template("a.find", "find <mails>", {}, rules)
    assert template.whole == "find (mail|(post|letters))"
    assert set(rules.used_by(template.sentence)) == {"mails", "post"}
    with pytest.raises(KeyError):
        rules.expanded("find <nothing>")


def test_a_skill_that_can_act_is_ahead_of_a_planned_one(file: Path) -> None:
    planned = Sentences([file], planned=lambda skill: skill == "a")
    found = planned.match(mask("find all mails from Bob", NOW), "en")
    assert found is not None
    assert found.tool == "b.find"


@pytest.mark.parametrize(
    ("said", "item"),
    [
        ("note an expense for tea", "tea"),
        ("note an expense for ean", "ean"),
        ("Note an expense for  “tea and more”.", "tea and more"),
    ],
)
def test_words_are_found_where_they_stand(file: Path, said: str, item: str) -> None:
    found = Sentences([file]).match(mask(said, NOW), "en")
    assert found is not None
    assert found.slots == {"item": item}
