"""Parts that the templates of a file share (`rules`), and where a slot's words stand in what was said."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.conversation.intents import Sentences
from assistant.conversation.spans import mask
from assistant.conversation.template import Rules, Template
from assistant.values import Moment
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


@pytest.mark.parametrize(
    ("said", "body"),
    [
        ("send Bob a mail that it works for me", "it works for me"),
        ("给鲍勃发邮件说能改一下预约吗？", "能改一下预约吗？"),
        ("send Bob a mail that I agree, thanks", "I agree"),
    ],
)
def test_a_message_keeps_the_words_at_its_end(tmp_path: Path, said: str, body: str) -> None:
    file = tmp_path / "sentences.yaml"
    entry = '{}:\n  a.send:\n    - sentences: ["{}"]\n'
    both = (("en", "send {to} a mail that {body}"), ("zh", "给{to}发邮件说{body}"))
    file.write_text("".join(entry.format(*one) for one in both), encoding="utf-8")
    found = Sentences([file]).match(mask(said, NOW), "en" if said.isascii() else "zh")
    assert found is not None
    assert found.slots["body"] == body


@pytest.mark.parametrize(
    ("said", "hour"),
    [
        ("set an alarm for 6:15 tomorrow", 6),
        ("明天六点半叫醒我", 6),
        ("wake me at 8 pm", 20),
        ("tea at 6:15 tomorrow", 18),
    ],
)
def test_an_alarm_is_in_the_morning(said: str, hour: int) -> None:
    [span] = mask(said, NOW).spans
    assert isinstance(span.value, Moment)
    assert span.value.at.hour == hour
