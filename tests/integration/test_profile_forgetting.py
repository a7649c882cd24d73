"""What is forgotten is in no file of the program any more, and what is not forgotten stays."""

from __future__ import annotations

import random
import string
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assistant.store import backups
from tests.support.talk import USER, Talk, talking

EN = ("remember that I like {}", "remember that I'm allergic to {}", "remember that my favourite colour is {}")
ZH = ("记住我喜欢{}", "记住我对{}过敏")
HAN = "茶花雪山河海云松竹梅兰菊虎鹤鹿鱼琴棋书画"
ODD = ("{} & {}", "{} %_{}", "{}'s {}", "{}-{} é", "{} \\\\ {}")


def value(dice: random.Random, tongue: str) -> str:
    """Words that nobody else says."""
    if tongue == "zh":
        return "".join(dice.choices(HAN, k=dice.randint(4, 8)))
    one, other = ("".join(dice.choices(string.ascii_lowercase, k=dice.randint(5, 9))) for _ in range(2))
    return dice.choice((one, f"{one} {other}", dice.choice(ODD).format(one, other), f"{one} " * 2 + other))


def holding(base: Path, wanted: str) -> list[str]:
    """The files below a folder that hold it in any spelling that is used."""
    spellings = {one.encode() for one in (wanted, wanted.casefold(), wanted.replace("\\", "\\\\"))}
    spellings |= {wanted.encode("utf-16-le"), wanted.encode("unicode_escape")}
    files = [file for file in base.rglob("*") if file.is_file() and not file.is_symlink()]
    return [str(file) for file in files if any(one in file.read_bytes() for one in spellings)]


async def told(talk: Talk, dice: random.Random, number: int) -> tuple[str, str]:
    tongue = dice.choice(("en", "zh"))
    said = value(dice, tongue)
    await talk.say(dice.choice(EN if tongue == "en" else ZH).format(said), session=f"s{number % 5}")
    return said, tongue


@pytest.mark.parametrize("seed", range(4))
async def test_random_facts_that_are_forgotten_are_in_no_file_and_the_others_stay(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    async with talking(tmp_path, USER, lambda _: "reply: Fine.") as talk:
        profile = talk.services.profile
        for number in range(16):
            await told(talk, dice, number)
            if number % 5 == 4:
                await talk.say("what do you know about me?")
            if number == 9:
                backups.make_daily(
                    talk.services.profile._db.conn and tmp_path / "data" / "assistant.db", datetime.now(UTC)
                )
        facts = profile.facts(history=True)
        gone = dice.sample(facts, len(facts) // 2)
        kept = [one for one in facts if one not in gone]
        for one in gone:
            assert (await profile.forget([one.id])).count == 1
            assert holding(tmp_path, one.value) == []
        assert {one.id for one in profile.facts(history=True)} == {one.id for one in kept}
        assert all(profile.why(one.id) for one in kept)
        assert talk.services.audit.verify().ok
    assert not [file for one in gone for file in holding(tmp_path, one.value)]
    assert all(holding(tmp_path, one.value) for one in kept)


async def test_what_is_forgotten_in_words_is_in_no_file_either(tmp_path: Path) -> None:
    async with talking(tmp_path, USER, lambda _: "reply: Fine.") as talk:
        for said in (
            "remember that I like peppermint",
            "what do you know about peppermint?",
            "我喜欢白毫银针",
            "I like tea",
        ):
            await talk.say(said)
        await talk.say("forget that I like peppermint")
        await talk.say("忘掉我喜欢白毫银针这件事")
        assert holding(tmp_path, "peppermint") == []
        assert holding(tmp_path, "白毫银针") == []
        assert [one.value for one in talk.services.profile.facts()] == ["tea"]


async def test_a_backup_is_removed_even_where_the_words_lie_across_its_pages(tmp_path: Path) -> None:
    async with talking(tmp_path, USER, lambda _: "reply: Fine.") as talk:
        long = "remember that " + " ".join(f"word{number}" for number in range(110))
        await talk.say(long)
        backups.make_daily(tmp_path / "data" / "assistant.db", datetime.now(UTC))
        [fact] = talk.services.profile.facts()
        await talk.services.profile.forget([fact.id])
        assert backups.listed(tmp_path / "data" / "assistant.db") == []
