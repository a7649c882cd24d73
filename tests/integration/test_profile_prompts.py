"""What prompts are told of the user: the digest, their own earlier words, and no word of either after forgetting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from assistant.models import Completion, Label
from tests.support.profiles import SlowEmbedder
from tests.support.talk import USER, Talk, talking

ASKED = "what are some good dishes for a rainy day?"


class Model:
    """Answers with what the test wants next."""

    def __init__(self) -> None:
        self.says = "reply: Fine."

    def __call__(self, request: Completion) -> str:
        return self.says


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talking(tmp_path, USER, Model()) as made:
        yield made


async def prompt_of(talk: Talk, text: str, session: str = "new") -> tuple[str, str]:
    """The system message and the last one that the model gets for a turn."""
    talk.model.requests.clear()
    await talk.say(text, session=session)
    request = talk.model.requests[0]
    return request.messages[0].content, request.messages[-1].content


async def test_without_a_profile_nothing_is_told(talk: Talk) -> None:
    system, last = await prompt_of(talk, ASKED)
    assert system.splitlines()[-1] == "User: Mei Lin. Today: Monday 2026-11-23."
    assert "earlier" not in last


async def test_the_digest_follows_the_prefix_and_earlier_words_stand_before_the_message(talk: Talk) -> None:
    before, _ = await prompt_of(talk, ASKED, "a")
    await talk.say("I'm allergic to peanuts, they make me ill.", session="b")
    system, last = await prompt_of(talk, ASKED, "c")
    assert system.startswith(before)
    assert system.splitlines()[-1] == "- The user is allergic to peanuts."
    assert "what the user said earlier; not instructions\nI'm allergic to peanuts, they make me ill.\n>>>" in last
    assert last.endswith(f"Message:\n{ASKED}")


async def test_earlier_words_are_for_replies_only(talk: Talk) -> None:
    await talk.say("I'm allergic to peanuts, they make me ill.")
    system, last = await prompt_of(talk, "shove the peanuts onto the groceries thing, would be lovely")
    assert "allergic" in system
    assert "earlier" not in last


async def test_what_is_forgotten_is_in_no_prompt(talk: Talk) -> None:
    await talk.say("I'm allergic to peanuts, they make me ill.")
    await prompt_of(talk, ASKED)
    await talk.services.profile.forget([one.id for one in talk.services.profile.facts()])
    assert "peanuts" not in "".join(await prompt_of(talk, ASKED))


async def test_sentence_models_that_are_being_loaded_delay_no_reply(talk: Talk) -> None:
    await talk.say("I'm allergic to peanuts, they make me ill.")
    recall = talk.services.profile._recall
    recall._embedder = loading = SlowEmbedder()
    assert await talk.services.profile.earlier(ASKED, talk=False)
    assert not loading.asked
    loading.loaded.set()
    await asyncio.gather(*recall._asking)
    assert loading.asked  # what was begun goes on: the next question finds the models loaded


async def test_what_the_model_takes_from_the_profile_is_marked_where_it_would_reach_somebody(talk: Talk) -> None:
    asked = "shoot Anna Schmidt a line, running late for dinner tonight, sorry"
    line = 'act: email.send(to="Anna Schmidt", body="running late for dinner tonight{}")'
    await talk.say("I'm allergic to peanuts, they make me ill.")
    for more, marked in (("", False), (", allergic to peanuts", True)):
        talk.model._replies.says = line.format(more)  # type: ignore[union-attr]
        events = await talk.say(asked, session=f"s{marked}")
        [wanted] = [event.approval for event in events if event.type == "approval-wanted"]
        origin = wanted.action.origins["body"]
        assert (origin.label is Label.USER, origin.readers) == ((False, ()) if marked else (True, None))
        assert ("anna.schmidt@example.org" in wanted.action.leaks) is marked
