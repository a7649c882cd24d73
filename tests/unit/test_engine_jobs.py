"""The queue before the model: a person first, then automations, then background work."""

from __future__ import annotations

import asyncio

import pytest

from assistant.engine.jobs import Job, JobQueue
from assistant.engine.scripted import ScriptedModel
from assistant.models import Completion, Message, Priority


async def test_people_come_before_automations_before_background_and_first_come_first_served() -> None:
    queue = JobQueue()
    order = [Priority.BACKGROUND, Priority.PERSON, Priority.AUTOMATION, Priority.PERSON, Priority.BACKGROUND]
    for number, priority in enumerate(order):
        queue.put(Job(str(number), {}, priority))
    assert [(await queue.get()).operation for _ in order] == ["1", "3", "2", "0", "4"]


async def test_a_job_put_back_keeps_its_place() -> None:
    queue = JobQueue()
    for name in "ab":
        queue.put(Job(name, {}, Priority.BACKGROUND))
    first = await queue.get()
    queue.put(first)
    assert (await queue.get()) is first


async def test_nobody_waits_for_a_cancelled_job() -> None:
    queue = JobQueue()
    cancelled, wanted = Job("a", {}), Job("b", {})
    queue.put(cancelled)
    queue.put(wanted)
    cancelled.cancelled = True
    assert len(queue) == 1
    assert (await queue.get()) is wanted


async def test_a_waiting_reader_gets_a_job_that_comes_later() -> None:
    queue = JobQueue()
    reader = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    job = Job("a", {})
    queue.put(job)
    assert (await reader) is job


def say(text: str, **options) -> Completion:
    return Completion(messages=(Message(role="user", content=text),), **options)


async def test_the_scripted_model_answers_in_turn_and_keeps_the_requests() -> None:
    model = ScriptedModel(["Yes, at nine.", "No."])
    chunks = [[chunk.text async for chunk in model.complete(say("Hm?"))] for _ in range(2)]
    assert ["".join(texts) for texts in chunks] == ["Yes, at nine.", "No."]
    assert [request.messages[0].content for request in model.requests] == ["Hm?", "Hm?"]
    with pytest.raises(IndexError):
        await anext(model.complete(say("More?")))


async def test_the_scripted_model_keeps_to_stop_and_length() -> None:
    model = ScriptedModel(lambda request: f"You said {request.messages[-1].content}")
    chunks = [chunk async for chunk in model.complete(say("one two three", max_tokens=3))]
    assert ("".join(chunk.text for chunk in chunks), chunks[-1].finish) == ("You said one ", "length")
    chunks = [chunk async for chunk in model.complete(say("one two", stop=("one",)))]
    assert ("".join(chunk.text for chunk in chunks), chunks[-1].finish) == ("You said ", "stop")
    assert await model.tokenize("12345") == 2
