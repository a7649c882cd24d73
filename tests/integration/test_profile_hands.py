"""The profile in its user's hands, in words: why, "forget that", a pause, topics never learned."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from assistant.events import Event
from assistant.store import open_database
from tests.support.talk import NOW, USER, Talk, talking


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talking(tmp_path / "home", USER, lambda _: "reply: Fine.") as made:
        yield made


def known(talk: Talk) -> list[str]:
    return [f"{one.predicate}:{one.value}" for one in talk.services.profile.facts()]


def of(kind: str, events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event.type == kind]


@pytest.mark.parametrize(
    ("said", "asked", "words"),
    [
        ("remember that I'm allergic to bees", "what am I allergic to?", "allergic to bees"),
        ("记住我对蜜蜂过敏", "我对什么过敏？", "我对蜜蜂过敏"),
    ],
)
async def test_it_says_why_it_thinks_so(talk: Talk, said: str, asked: str, words: str) -> None:
    await talk.say(said)
    why = "你怎么知道的？" if "记" in said else "why did you think that?"
    assert words[-4:] in await talk.reply(asked)
    told = await talk.reply(why)
    assert words in told
    assert "2026" in told
    assert known(talk)


async def test_it_says_where_it_has_a_fact_from_that_is_named(talk: Talk) -> None:
    await talk.say("by the way, I moved to Kiel")
    assert "I moved to Kiel" in await talk.reply("how do you know that I live in Kiel?")
    assert "I moved to Kiel" in await talk.reply("你怎么知道我住在Kiel？")


@pytest.mark.parametrize(
    ("said", "forget"),
    [
        ("remember that I like mint tea", "forget that"),
        ("remember that I like mint tea", "please forget what I just said"),
        ("remember that I like mint tea", "forget it"),
        ("记住我喜欢薄荷茶", "忘掉这件事"),
        ("记住我喜欢薄荷茶", "把这件事忘了吧"),
    ],
)
async def test_what_was_just_kept_is_forgotten_by_pointing_at_it(talk: Talk, said: str, forget: str) -> None:
    await talk.say(said)
    assert len(known(talk)) == 1
    await talk.say(forget)
    assert known(talk) == []


async def test_what_was_just_told_is_forgotten_by_pointing_at_it(talk: Talk) -> None:
    await talk.say("remember that I like mint tea")
    await talk.say("remember that I live in Kiel")
    await talk.say("where do I live?")
    assert await talk.reply("forget that") == "That is forgotten for good."
    assert known(talk) == ["likes:mint tea"]


async def test_of_several_it_asks_which_shall_be_forgotten(talk: Talk) -> None:
    await talk.say("remember that I like mint tea")
    await talk.say("remember that I live in Kiel")
    await talk.say("what do you know about me?")
    [question] = of("question", await talk.say("forget that"))
    assert set(question.choices) == {"You like mint tea.", "You live in Kiel."}  # type: ignore[attr-defined]
    await talk.say("You live in Kiel.")
    assert known(talk) == ["likes:mint tea"]


async def test_forget_it_after_an_answer_forgets_nothing(talk: Talk) -> None:
    await talk.say("remember that I live in Kiel")
    await talk.say("where do I live?")
    await talk.say("forget it")
    assert known(talk) == ["home:Kiel"]


async def test_forget_that_drops_an_open_question(talk: Talk) -> None:
    await talk.say("remember that I live in Kiel")
    await talk.say("remind me to call the clinic")
    await talk.say("forget that")
    assert known(talk) == ["home:Kiel"]


@pytest.mark.parametrize(
    ("stop", "go"),
    [("stop learning about me", "you can learn about me again"), ("别再记我的事了", "重新了解我吧")],
)
async def test_while_it_pauses_nothing_is_heard_and_what_is_asked_for_is_kept(talk: Talk, stop: str, go: str) -> None:
    await talk.say(stop)
    await talk.say("I moved to Kiel")
    assert known(talk) == []
    assert not talk.services.health()["learns"]
    await talk.say("remember that I like mint tea")
    assert known(talk) == ["likes:mint tea"]
    await talk.say(go)
    await talk.say("I moved to Kiel")
    assert known(talk) == ["likes:mint tea", "home:Kiel"]


async def test_a_pause_outlives_a_restart_and_can_be_undone(tmp_path: Path) -> None:
    async with talking(tmp_path, USER, lambda _: "reply: Fine.") as talk:
        await talk.say("stop learning about me")
    async with talking(tmp_path, USER, lambda _: "reply: Fine.") as talk:
        await talk.say("I moved to Kiel")
        assert known(talk) == []
        await talk.say("undo")
        assert talk.services.profile.hands.paused() is None


async def test_a_pause_ends_at_its_time(tmp_path: Path) -> None:
    async with talking(tmp_path, USER, lambda _: "reply: Fine.") as talk:
        talk.services.profile.hands.pause(NOW + timedelta(hours=1))
    async with talking(tmp_path, USER, lambda _: "reply: Fine.", now=NOW + timedelta(hours=2)) as talk:
        await talk.say("I moved to Kiel")
        assert known(talk) == ["home:Kiel"]


@pytest.mark.parametrize(
    ("wish", "barred", "free"),
    [
        ("don't learn anything about my salary", "remember that my salary is 5000 euros", "I moved to Kiel"),
        ("never remember anything about health", "I'm allergic to bees", "I moved to Kiel"),
        ("不要记录关于我的健康的事", "我对蜜蜂过敏", "我搬到基尔了"),
    ],
)
async def test_nothing_is_learned_of_a_topic_that_is_barred(talk: Talk, wish: str, barred: str, free: str) -> None:
    await talk.say(wish)
    await talk.say(barred)
    assert known(talk) == []
    await talk.say(free)
    assert len(known(talk)) == 1
    assert len(talk.services.profile.hands.stats().never) == 1


async def test_a_barred_topic_can_be_freed_by_undo(talk: Talk) -> None:
    await talk.say("don't learn anything about my salary")
    await talk.say("undo")
    assert talk.services.profile.hands.stats().never == ()


async def test_it_is_exported_in_words_forgotten_there_too_and_removed_by_undo(talk: Talk) -> None:
    await talk.say("remember that I like peppermint")
    await talk.say("remember that I live in Kiel")
    told = await talk.reply("export my profile")
    [file] = talk.services.profile.hands.stats().exports
    assert file in told
    assert {one["value"] for one in json.loads(Path(file).read_text())["facts"]} == {"peppermint", "Kiel"}
    assert await talk.reply("forget that I like peppermint") == "That is forgotten for good."
    assert {one["value"] for one in json.loads(Path(file).read_text())["facts"]} == {"Kiel"}
    assert "peppermint" not in Path(file).read_text()
    Path(file).rename(file + ".moved")
    assert file in await talk.reply("forget that I live in Kiel")


async def test_an_export_in_words_is_undone(talk: Talk) -> None:
    await talk.say("remember that I live in Kiel")
    await talk.say("export my profile")
    [file] = talk.services.profile.hands.stats().exports
    await talk.say("undo")
    assert not Path(file).exists()
    assert talk.services.profile.hands.stats().exports == ()


def test_the_tables_are_made_in_an_older_database(tmp_path: Path) -> None:
    db = open_database(tmp_path / "assistant.db")
    db.conn.execute("DELETE FROM migrations WHERE name = 'm0013_hands'")
    db.conn.execute("DROP TRIGGER evidence_gone")
    for table in ("profile_never", "profile_pause", "profile_exports", "profile_imports", "vectors_gone"):
        db.conn.execute(f"DROP TABLE {table}")
    db.close()
    again = open_database(tmp_path / "assistant.db")
    assert again.conn.execute("SELECT count(*) FROM profile_never").fetchone()[0] == 0
    again.close()
