"""The calendar in whole conversations: said, listed, taken back, approved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from assistant.memory.users import read_user
from assistant.models import Action, Prepared
from assistant.resources import bundled
from tests.support.talk import Talk, talking


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talking(tmp_path / "home", read_user(bundled("profile") / "sample.yaml")) as made:
        yield made


async def test_an_event_is_put_in_found_moved_and_taken_back_in_both_languages(talk: Talk) -> None:
    assert "Tue 24 Nov, 15:00–16:00" in await talk.reply("put the dentist in my calendar tomorrow at 3 pm")
    assert "dentist" in await talk.reply("我明天有什么安排？")
    moved = await talk.reply("move the dentist to Friday at 9")
    assert "Fri 27 Nov, 09:00–10:00: dentist" in moved
    await talk.say("undo")
    assert "15:00–16:00: dentist" in await talk.reply("what's on my calendar tomorrow")
    await talk.say("取消明天的dentist预约")
    assert "dentist" not in await talk.reply("what's on my calendar tomorrow")


async def test_people_are_invited_only_after_a_yes(talk: Talk) -> None:
    events = await talk.say("invite my boss to a meeting tomorrow at 4 pm")
    approval = next(event.approval for event in events if event.type == "approval-wanted")
    assert any("petra.vogel@lindenhof.example" in one.value for one in approval.prepared.fields)
    assert "boss" not in await talk.reply("what's on my calendar tomorrow")


async def test_an_event_that_others_take_part_in_is_moved_and_cancelled_after_a_yes(tmp_path: Path) -> None:
    user = read_user(bundled("profile") / "sample.yaml")
    async with talking(tmp_path / "home", user, approvals={"hold_s": 0}) as talk:
        await _approved(talk, "invite my boss to a budget meeting tomorrow at 4 pm")
        assert "16:00–17:00: budget meeting" in await talk.reply("what's on my calendar tomorrow")
        await _approved(talk, "move the budget meeting to Friday at 9")
        assert "27 Nov, 09:00–10:00: budget meeting" in await talk.reply("when is the budget meeting")
        await _approved(talk, "cancel the budget meeting")
        assert "budget meeting" not in await talk.reply("what's on my calendar on Friday")


async def test_a_picked_event_that_turns_out_to_have_guests_is_asked_about_again_as_what_it_is(tmp_path: Path) -> None:
    user = read_user(bundled("profile") / "sample.yaml")
    async with talking(tmp_path / "home", user, approvals={"hold_s": 0}) as talk:
        await _approved(talk, "invite my boss to a budget meeting tomorrow at 4 pm")
        [file] = (tmp_path / "home" / "data" / "skill-data" / "calendar").rglob("*.ics")
        args = {"event_id": file.name}
        picked = Action(id="picked", tool="calendar.delete_event", effect="write", args=args, session="s")
        shown = Prepared(title="Delete it", payload={"args": args})
        talk.services.approvals.propose(picked, shown, "It was picked after reading.", "s")
        asked = next(event.approval for event in await talk.say("yes") if event.type == "approval-wanted")
        assert asked.action.effect == "outward"
        assert any("petra.vogel@lindenhof.example" in one.value for one in asked.prepared.fields)
        assert "budget meeting" in await talk.reply("what's on my calendar tomorrow")
        await talk.say("yes")
        await _all_left(talk)
        assert "budget meeting" not in await talk.reply("what's on my calendar tomorrow")


async def _approved(talk: Talk, said: str) -> None:
    """Say it, see that the guest is shown and nothing is done without a yes, say yes, and wait until it is done."""
    before = await talk.reply("what's on my calendar this week")
    approval = next(event.approval for event in await talk.say(said) if event.type == "approval-wanted")
    assert approval.action.effect == "outward"
    assert any("petra.vogel@lindenhof.example" in one.value for one in approval.prepared.fields)
    assert await talk.reply("what's on my calendar this week") == before
    await talk.say("yes")
    await _all_left(talk)


async def _all_left(talk: Talk) -> None:
    async with asyncio.timeout(10):
        while await talk.services.outbox.list(open_only=True):  # noqa: ASYNC110 - the outbox has no event for it
            await asyncio.sleep(0.01)


async def test_a_meeting_with_somebody_who_is_not_invited_is_the_users_own(talk: Talk) -> None:
    assert "meeting with my boss" in (await talk.reply("schedule a meeting with my boss tomorrow at 4 pm")).casefold()
    assert "boss" in await talk.reply("what's on my calendar tomorrow")


async def test_an_event_that_is_not_there_is_neither_moved_nor_deleted(talk: Talk) -> None:
    for said in ("cancel my knitting class tomorrow", "move the knitting class to Friday at 9"):
        assert "knitting" in await talk.reply(said)


async def test_what_is_missing_is_asked_in_the_language_of_the_turn(talk: Talk) -> None:
    assert await talk.reply("帮我安排一个会议") == "什么时候开始？"
    assert "11月24日周二 15:00–16:00" in await talk.reply("明天下午三点")
