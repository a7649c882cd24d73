"""The model reads, the gates judge: each gate, the examples of the prompt, and the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assistant.clock import FrozenClock
from assistant.engine.scripted import ScriptedModel
from assistant.errors import Rejected
from assistant.knowledge import Evidence, Fact, Source
from assistant.memory import gates
from assistant.memory.gates import Words, Written
from assistant.memory.keeper import KeptProfile
from assistant.memory.kinds import kinds
from assistant.memory.reading import grammar, parsed, worth
from assistant.memory.stating import Told, told
from assistant.models import Completion, Turn
from assistant.skillkit.context import Calm
from assistant.store import Database, open_database
from tests.support.profiles import NoEmbedder

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def words(text: str, language: str = "en", origin: Source = "said", **more: Sequence[str]) -> Words:
    one = Evidence(id=1, source="turn:1", origin=origin, language=language, text=text, at=NOW)
    return Words(one, told(text, language), **more)


def judged(line: str, said: Words, known: Sequence[Fact] = ()) -> list[str]:
    read = parsed(line.split("\n"))
    assert read is not None
    return [f"{one.predicate}|{one.subject}|{one.topic}|{one.value}" for one in gates.kept(read, said, known)]


def refusal(line: str, said: Words) -> str:
    [one] = parsed([line]) or []
    place = gates.clause_of(one, said)
    return "grounding" if place is None else gates.refused(one, place, said)


def test_what_stands_in_the_users_own_words_is_kept() -> None:
    said = words("My uncle Bruno has gone deaf in one ear and our terrace faces the harbour")
    assert judged("condition(uncle) = gone deaf in one ear", said) == ["condition|uncle||gone deaf in one ear"]


@pytest.mark.parametrize("origin", ["heard"])
def test_somebody_elses_words_state_nothing(origin: Source) -> None:
    assert refusal("likes(me) = figs", words("I am so into figs that I grow them", origin=origin)) == "origin"


@pytest.mark.parametrize(
    ("line", "text", "language", "gate"),
    [
        ("likes(me) = mangoes", "I am so into figs these past years", "en", "grounding"),
        ("device(me, boat) = Fjordling", "our dinghy, the Fjordling, is ours for good", "en", "grounding"),
        ("likes(Peter) = figs", "I am so into figs these past years", "en", "grounding"),
        ("likes(me) = fig", "I am so into figs these past years", "en", "grounding"),
        ("likes(me) = figs", "if I were into figs I would grow them", "en", "grounding"),
        ("likes(me) = figs", "are we into figs as a family?", "en", "grounding"),
        ("likes(me) = figs", "buy the figs that I love so much", "en", "clause"),
        ("likes(me) = figs", "tonight I am so into figs", "en", "clause"),
        ("likes(me) = figs", "I was not ever so into figs", "en", "negation"),
        ("likes(me) = 榴莲", "我对榴莲不太感兴趣", "zh", "negation"),
        ("likes(me) = figs", "my uncle goes crazy about figs and I cook", "en", "subject"),
        ("employer(me) = 船厂", "我爸在船厂上了一辈子的班", "zh", "subject"),
        ("speaks(me) = 客家话", "我奶奶身体好，只会讲客家话", "zh", "subject"),
        ("likes(me) = figs", "I have figs in the garden", "en", "usefulness"),
        ("document(me, visa) = old", "the visa in my drawer looks old", "en", "usefulness"),
        ("likes(me) = it", "I am so into it these past years", "en", "usefulness"),
    ],
)
def test_each_gate_refuses(line: str, text: str, language: str, gate: str) -> None:
    assert refusal(line, words(text, language)) == gate


def test_what_the_user_bars_is_not_kept() -> None:
    said = words("I am so into figs these past years", bars=lambda text: "figs" in text)
    assert refusal("likes(me) = figs", said) == "sensitivity"


@pytest.mark.parametrize(
    "text",
    ["my PIN is 4411", "the wifi password: hunter22", "card 4111 1111 1111 1111 is mine", "银行卡密码是123456"],
)
def test_secrets_are_told_from_words_about_them(text: str) -> None:
    assert gates.secret(text)
    assert not gates.secret("I forgot my password again, and my library card has the number 30077")


def test_a_value_out_of_the_prompts_examples_is_impossible() -> None:
    said = words("I am so into figs these past years")
    for example in gates.reading()["examples"]:
        for line in example["read"]:
            assert judged(line, said) == []
            value = line.partition(" = ")[2]
            assert value not in grammar(said)


def test_the_examples_of_the_prompt_pass_the_gates() -> None:
    for example in gates.reading()["examples"]:
        language = "zh" if "一" <= example["said"][0] <= "鿿" else "en"
        read = parsed(example["read"]) or []
        said = words(example["said"], language)
        unread = [Told(clause.text, ()) for clause in said.clauses]  # as if no rule had read it
        said = Words(said.evidence, unread)
        for one in read:
            place = gates.clause_of(one, said)
            assert place is not None, one
            assert gates.refused(one, place, said) == "", one


def test_what_a_rule_read_in_the_same_words_is_not_read_again() -> None:
    said = words("I love figs, and my flat looks out on a harbour")
    assert judged("likes(me) = figs", said) == []


def test_what_is_known_is_confirmed_in_the_words_in_which_it_is_known() -> None:
    db = open_database(":memory:")
    profile = made(db, [])
    profile.take_in("I love dried figs", "turn:0", language="en", at=NOW)
    said = words("I am so into figs these past years")
    assert judged("likes(me) = figs", said, profile.facts()) == ["likes|||dried figs"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("the red Golf", "Golf", True),
        ("figs", "dried figs", True),
        ("38", "38.5", False),
        ("size 38", "size 39", False),
        ("figs", "fog", False),
        ("靠窗的座位", "靠窗", True),
        ("周三", "周四", False),
    ],
)
def test_near_duplicates(one: str, other: str, same: bool) -> None:
    assert gates.says_same(one, other) is same


def test_only_whole_lines_of_the_grammar_are_read() -> None:
    assert parsed(["none"]) == []
    assert parsed(["likes(me) = figs"]) == [Written("likes", "", "", "figs")]
    assert parsed(["device(Ada, car) = blue van"]) == [Written("device", "Ada", "car", "blue van")]
    assert parsed(["likes(me) = figs", "likes me figs"]) is None
    assert parsed(["hates(me) = figs"]) is None


def test_every_kind_of_the_prompt_is_a_predicate() -> None:
    assert gates.reading()["kinds"].keys() <= kinds().predicates.keys()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("what is the weather in Rome", "en"),
        ("ok thanks", "en"),
        ("play some jazz", "en"),
        ("I live in Rome", "en"),
        ("今天天气怎么样", "zh"),
        ("提醒我买牛奶", "zh"),
        ("我住在罗马", "zh"),
    ],
)
def test_most_turns_cost_nothing(text: str, language: str) -> None:
    assert not worth(words(text, language))


# --- the queue -------------------------------------------------------------------------------------------------


def made(db: Database, replies: Sequence[str], folder: Path | None = None, **more: bool) -> KeptProfile:
    clock = FrozenClock(NOW)
    model = ScriptedModel(list(replies))
    return KeptProfile(db, clock, folder or Path("/nonexistent"), NoEmbedder(), Calm(), model=model, **more)


SAID = "my desk by the river is where I am so into chess"


def test_a_turn_is_read_once_and_its_facts_are_less_sure(tmp_path: Path) -> None:
    db = open_database(":memory:")
    profile = made(db, ["likes(me) = chess"], tmp_path)
    profile.heard(Turn(id="1", text=SAID, session="s"), "en")
    asyncio.run(profile.settle())
    asyncio.run(profile.settle())
    [fact] = profile.facts()
    assert (fact.value, fact.confidence) == ("chess", 0.7)
    assert [one.source for one in profile.why(fact.id)] == ["turn:1"]


def test_what_was_read_is_taken_back_with_its_turn(tmp_path: Path) -> None:
    db = open_database(":memory:")
    profile = made(db, ["likes(me) = chess"], tmp_path)
    profile.heard(Turn(id="1", text=SAID, session="s"), "en")
    asyncio.run(profile.settle())
    profile.take_back("turn:1")
    assert profile.facts() == []
    profile.heard(Turn(id="2", text=SAID, session="s"), "en")
    profile.take_back("turn:2")
    asyncio.run(profile.settle())  # the script is used up: asking again would raise
    assert profile.facts() == []


def test_what_was_read_can_be_forgotten(tmp_path: Path) -> None:
    db = open_database(":memory:")
    profile = made(db, ["likes(me) = chess"], tmp_path)
    profile.heard(Turn(id="1", text=SAID, session="s"), "en")
    asyncio.run(profile.settle())
    asyncio.run(profile.forget([fact.id for fact in profile.facts()]))
    assert "chess" not in "\n".join(db.conn.iterdump())


def test_a_turn_forgotten_while_it_is_read_stays_forgotten(tmp_path: Path) -> None:
    db = open_database(":memory:")
    profile: KeptProfile

    def answer(_: Completion) -> str:
        profile.take_back("turn:1")
        return "likes(me) = chess"

    clock = FrozenClock(NOW)
    profile = KeptProfile(db, clock, tmp_path, NoEmbedder(), Calm(), model=ScriptedModel(answer))
    profile.heard(Turn(id="1", text=SAID, session="s"), "en")
    asyncio.run(profile.settle())
    assert profile.facts(history=True) == []


def test_the_prompt_is_the_same_for_all_turns(tmp_path: Path) -> None:
    db = open_database(":memory:")
    model = ScriptedModel(["none", "none"])
    profile = KeptProfile(db, FrozenClock(NOW), tmp_path, NoEmbedder(), Calm(), model=model)
    for number, text in enumerate((SAID, "our river is one that I am so fond to see")):
        profile.heard(Turn(id=str(number), text=text, session="s"), "en")
    asyncio.run(profile.settle())
    first, second = model.requests
    assert first.messages[:-1] == second.messages[:-1]
    assert first.messages[-1] != second.messages[-1]


def test_nothing_is_read_where_nothing_shall_be_learned_or_nobody_can_read(tmp_path: Path) -> None:
    db = open_database(":memory:")
    assert made(db, [], tmp_path, learn=False).reader is None
    profile = KeptProfile(db, FrozenClock(NOW), tmp_path, NoEmbedder(), Calm())
    profile.heard(Turn(id="1", text=SAID, session="s"), "en")
    asyncio.run(profile.settle())
    assert profile.facts() == []


def test_a_secret_is_neither_heard_nor_remembered(tmp_path: Path) -> None:
    db = open_database(":memory:")
    profile = made(db, [], tmp_path)
    profile.heard(Turn(id="1", text="my PIN is 4411", session="s"), "en")
    with pytest.raises(Rejected):
        profile.remember("my PIN is 4411", "turn:2", language="en")
    assert "4411" not in "\n".join(db.conn.iterdump())


@pytest.mark.parametrize(
    ("line", "text", "language", "kept"),
    [
        (
            "relation(me, aunt) = runs a kiosk by the lake",
            "aunt still runs a kiosk by the lake, mine",
            "en",
            "job|aunt||runs a kiosk by the lake",
        ),
        (
            "document(me, supplier) = Windrad",
            "our supplier is with Windrad for good",
            "en",
            "account||supplier|Windrad",
        ),
        ("document(me, 会员) = 白鹭书店", "我的会员是白鹭书店的", "zh", "account||会员|白鹭书店"),
    ],
)
def test_what_a_small_model_files_wrongly_is_filed_where_it_belongs(
    line: str, text: str, language: str, kept: str
) -> None:
    assert judged(line, words(text, language)) == [kept]


@pytest.mark.parametrize(
    ("line", "text", "language"),
    [
        ("device(me, ladder) = metal one", "I went up, the ladder is the metal one", "en"),
        ("routine(me, tram) = late", "I am on the tram, late", "en"),
        ("routine(me, 登机口) = 九号", "我在登机口九号", "zh"),
        ("routine(me, 以后) = 不是", "我以后不是那样", "zh"),
        ("wish(me) = 蹦极", "我下次想试蹦极", "zh"),
        ("job(me) = 船长", "角色扮演，我是船长", "zh"),
    ],
)
def test_the_moment_a_play_and_things_of_nobody_are_no_facts(line: str, text: str, language: str) -> None:
    assert refusal(line, words(text, language))
    assert judged(line, words(text, language)) == []
