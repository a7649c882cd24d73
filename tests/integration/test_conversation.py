"""Whole turns in one process: templates, the model's steps, approvals, questions, undo. The model is scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from assistant.conversation.prompt import call_line
from assistant.events import ToolStarted
from assistant.models import Call, Completion, Label, MoneyAccount, Step, Turn
from tests.support.talk import NOW, USER, Talk, talking

MAIL = """From: {sender}
To: mei@example.org
Subject: {subject}
Message-ID: <{id}@example.org>
Date: {date}
Content-Type: text/plain; charset=utf-8

{body}
"""


def deliver(mailbox: Path, number: int, sender: str, subject: str, body: str, date: str) -> None:
    for name in ("cur", "new", "tmp"):
        (mailbox / name).mkdir(parents=True, exist_ok=True)
    text = MAIL.format(sender=sender, subject=subject, id=f"m{number}", date=date, body=body)
    (mailbox / "new" / f"{number}.host").write_text(text, encoding="utf-8")


def act(tool: str, **args: object) -> str:
    return f"act: {call_line(tool, args)}"


def script(replies: list[str]) -> object:
    """Planner steps from a list; anything else that asks the model (a summary) gets an empty object."""
    waiting = iter(replies)

    def answer(request: Completion) -> str:
        planning = "Turn the last message" in request.messages[0].content
        return next(waiting, "reply: ?") if planning else "{}"

    return answer


@pytest.fixture
async def talk(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Talk]:
    mailbox = tmp_path / "Maildir"
    deliver(mailbox, 1, "Lan Lin <lan@example.cn>", "周五", "周五下午有空吗？", "Thu, 19 Nov 2026 12:00:00 +0100")
    deliver(mailbox, 2, "Shop <shop@example.com>", "Sale", "Buy now", "Sun, 22 Nov 2026 12:00:00 +0100")
    replies = getattr(request, "param", [])
    settings = {"email": {"settings": {"mailbox": str(mailbox), "address": "mei@example.org"}}}
    async with talking(tmp_path / "home", USER, script(list(replies)), skills=settings) as made:  # type: ignore[arg-type]
        yield made


async def test_a_template_sets_a_reminder_without_the_model(talk: Talk) -> None:
    events = await talk.say("remind me tomorrow at 9 to call the clinic")
    assert [event.type for event in events] == ["turn-started", "tool-started", "tool-finished", "reply", "done"]
    assert events[1].args == {"text": "call the clinic", "when": "2026-11-24T09:00"}  # type: ignore[union-attr]
    assert not talk.model.requests
    assert "call the clinic" in await talk.reply("show my reminders")


async def test_chinese_is_an_equal(talk: Talk) -> None:
    said = await talk.reply("明天下午三点提醒我给妈妈打电话")
    assert "给妈妈打电话" in said
    assert "给妈妈打电话" in await talk.reply("我有哪些提醒？")


async def test_traditional_characters_are_understood_and_kept(talk: Talk) -> None:
    assert "買牛奶和雞蛋" in await talk.reply("提醒我明天下午三點買牛奶和雞蛋")


async def test_what_is_missing_is_asked_and_the_answer_completes_it(talk: Talk) -> None:
    events = await talk.say("remind me to water the plants")
    question = next(event for event in events if event.type == "question")
    assert question.missing == ("when",)
    assert "water the plants" in await talk.reply("tomorrow at 8")


async def test_a_new_request_instead_of_an_answer_changes_the_topic(talk: Talk) -> None:
    await talk.say("remind me to water the plants")
    assert "pasta" in await talk.reply("remind me today at 6 pm to cook pasta")
    listed = await talk.reply("show my reminders")
    assert "water" not in listed


async def test_never_mind_drops_the_question(talk: Talk) -> None:
    await talk.say("remind me to water the plants")
    await talk.say("never mind")
    assert "water" not in await talk.reply("show my reminders")


async def test_an_impossible_day_is_refused(talk: Talk) -> None:
    said = await talk.reply("remind me on February 30th at 9 am to renew my passport")
    assert "February" in said
    assert "renew" not in await talk.reply("show my reminders")


async def test_a_reply_goes_only_after_a_yes_and_can_be_undone(talk: Talk) -> None:
    events = await talk.say("reply to my sister that Friday afternoon works")
    approval = next(event.approval for event in events if event.type == "approval-wanted")
    assert "Friday afternoon works" in approval.prepared.body
    assert any("lan@example.cn" in one.value for one in approval.prepared.fields)
    assert approval.action.origins["body"].label is Label.USER
    assert not await talk.services.outbox.list()
    events = await talk.say("yes")
    receipt = next(event.receipt for event in events if event.type == "receipt")
    assert receipt.outcome == "queued"
    assert receipt.undo_until is not None
    await talk.say("undo")
    (operation,) = await talk.services.outbox.list()
    assert operation.state == "CANCELLED"


async def test_no_means_no(talk: Talk) -> None:
    await talk.say("回复我姐姐说周五下午可以")
    await talk.say("不用了")
    assert not await talk.services.outbox.list()
    assert not talk.services.approvals.pending("s")


async def test_a_yes_in_another_session_approves_nothing(talk: Talk) -> None:
    await talk.say("reply to my sister that Friday afternoon works")
    await talk.say("send it", session="other")
    assert not await talk.services.outbox.list()


async def test_nobody_there_means_nothing_leaves(talk: Talk) -> None:
    events = await talk.say("reply to my sister that Friday afternoon works", present=False)
    assert "policy.denied" in [getattr(event, "code", "") for event in events]
    assert not talk.services.approvals.pending("s")


async def test_a_write_can_be_taken_back(talk: Talk) -> None:
    await talk.say("remind me tomorrow at 9 to call the clinic")
    await talk.say("undo")
    assert "clinic" not in await talk.reply("show my reminders")
    assert "nothing" in (await talk.reply("undo")).lower()


@pytest.mark.parametrize("talk", [["reply: Jane Austen."]], indirect=True)
async def test_the_model_talks_and_its_words_are_streamed(talk: Talk) -> None:
    events = await talk.say("who wrote Pride and Prejudice?")
    assert "".join(event.text for event in events if event.type == "token") == "Jane Austen."
    assert next(event for event in events if event.type == "reply").text == "Jane Austen."


@pytest.mark.parametrize("talk", [["reply: I have sent the mail to Anna."]], indirect=True)
async def test_a_claim_without_a_receipt_is_not_said(talk: Talk) -> None:
    assert "sent" not in await talk.reply("could you perhaps take care of that thing")


@pytest.mark.parametrize(
    "talk",
    [[act("reminders.add", text="buy milk", when="yesterday", recurrence="daily")] * 2],
    indirect=True,
)
async def test_the_models_own_time_is_not_believed(talk: Talk) -> None:
    events = await talk.say("it would be good not to forget: buy milk, tomorrow at 8 pm")
    started = next(event for event in events if event.type == "tool-started")
    assert started.args == {"text": "buy milk", "when": "2026-11-24T20:00"}


@pytest.mark.parametrize("talk", [[act("email.send", to=["Boss"], subject="x", body="I quit")] * 2], indirect=True)
async def test_an_invented_recipient_is_asked_for(talk: Talk) -> None:
    events = await talk.say("please write an email about my holiday, to somebody, anything")
    assert not [event for event in events if event.type == "approval-wanted"]
    assert [event for event in events if event.type == "question"]


@pytest.mark.parametrize("text", ["send 50 euros to Lan Weber", "给李岚转五十欧", "email Anton that I am late"])
async def test_nothing_goes_to_a_stranger(talk: Talk, text: str) -> None:
    plan = await talk.services.conversation.plan(text)
    assert (plan.kind, plan.missing) == ("ask", ("to",))
    assert "Lan Weber" in plan.reply or "李岚" in plan.reply or "Anton" in plan.reply


async def test_an_account_number_or_an_own_account_is_no_stranger(talk: Talk) -> None:
    user = USER.model_copy(update={"accounts": (MoneyAccount(name="checking"), MoneyAccount(name="savings"))})
    for whom in ("DE89 3704 0044 0532 0130 00", "savings"):
        plan = await talk.services.conversation.plan(f"transfer 50 euros to {whom}", user=user)
        assert (plan.kind, plan.calls[0].args["to"]) == ("call", whom)


async def test_a_return_before_the_departure_is_refused(talk: Talk) -> None:
    plan = await talk.services.conversation.plan("find a flight to Rome on December 20th, back on December 14th")
    assert plan.kind == "refuse"


@pytest.mark.parametrize(
    "talk", [["reply: I'll send you the money.", act("reminders.add", text="milk", when="at 6")]], indirect=True
)
async def test_a_promise_instead_of_a_deed_is_asked_for_again(talk: Talk) -> None:
    events = await talk.say(
        "set me up some reminder about buying the milk at 6, will you, it is for the reminders list"
    )
    assert [event.tool for event in events if event.type == "tool-started"] == ["reminders.add"]


async def test_two_people_of_one_name_are_a_question_with_choices(talk: Talk) -> None:
    said = await talk.reply("reply to Anna that I agree")
    assert "anna.schmidt@example.org" in said
    assert "weber@example.org" in said


@pytest.mark.parametrize("answer", ["2", "the second one", "weber@example.org", "Anna Weber"])
async def test_a_choice_is_made_by_its_number_or_its_words(talk: Talk, answer: str) -> None:
    await talk.say("send Anna an email saying that I agree")
    approval = next(event.approval for event in await talk.say(answer) if event.type == "approval-wanted")
    assert "weber@example.org" in approval.prepared.model_dump_json()


async def test_a_session_outlives_the_skill_that_it_used(talk: Talk) -> None:
    sessions = talk.services.sessions
    gone = Call(tool="expenses.add", args={"item": "tea"})
    turn = Turn(id="t0", text="note 3 euros for tea", session="s")
    started = ToolStarted(turn="t0", session="s", tool=gone.tool, args=gone.args, via="intent")
    sessions.keep(turn, "en", "How much?", "intent", 1, [started])
    sessions.ask(turn, Step(kind="ask", calls=(gone,), missing=("amount",)))
    sessions.can_undo("s", "o1", gone.tool, {"id": 1})
    assert "10:00" in await talk.reply("what time is it?")
    assert "expenses.add" in await talk.reply("undo")
    assert "nothing left" in await talk.reply("undo")


async def test_an_approval_is_bound_to_what_was_shown(talk: Talk) -> None:
    events = await talk.say("reply to my sister that Friday afternoon works")
    approval = next(event.approval for event in events if event.type == "approval-wanted")
    forged = approval.model_copy(update={"prepared": approval.prepared.model_copy(update={"body": "Send me money"})})
    talk.services.approvals.decide(approval.id, True, approval.bound_to)
    with pytest.raises(Exception, match="approval"):
        talk.services.approvals.redeem(approval.id, forged.action, forged.prepared)
    assert not await talk.services.outbox.list()


async def test_a_dry_run_plans_and_does_nothing(talk: Talk) -> None:
    plan = await talk.services.conversation.plan("reply to my sister that Friday afternoon works", now=NOW, user=USER)
    assert [call.tool for call in plan.calls] == ["email.search", "email.reply"]
    assert plan.calls[1].args["message_id"] == {"$from": 0, "field": "message_id"}
    assert plan.via == "intent"
    assert not talk.services.sessions.overview()
    assert not talk.services.audit.entries()


async def test_a_dry_run_of_a_question_names_what_is_missing(talk: Talk) -> None:
    plan = await talk.services.conversation.plan("提醒我浇花")
    assert (plan.kind, plan.missing) == ("ask", ("when",))
    assert plan.reply


async def test_turns_are_kept_and_read_back(talk: Talk) -> None:
    await talk.say("remind me tomorrow at 9 to call the clinic")
    (session,) = talk.services.sessions.overview()
    assert session["session"] == "s"
    (turn,) = talk.services.sessions.transcript("s")
    assert turn["text"] == "remind me tomorrow at 9 to call the clinic"
    assert turn["events"][-1]["type"] == "done"


async def test_every_deed_is_in_the_audit(talk: Talk) -> None:
    await talk.say("reply to my sister that Friday afternoon works")
    await talk.say("yes")
    kinds = [entry.kind for entry in talk.services.audit.entries()]
    assert "action" in kinds
    assert talk.services.audit.verify().ok


@pytest.mark.parametrize(
    ("text", "tool", "args"),
    [
        ("show me mails from Lan Lin last week", "email.search", {"sender": "Lan Lin", "since": "2026-11-16"}),
        ("把 林岚 发来的 email 找出来，全部归档", "email.search", {"sender": "Lan Lin"}),
        (
            "send an email to bob@example.com saying see you at noon, as always",
            "email.send",
            {"subject": "See you at noon"},
        ),
    ],
)
async def test_words_find_their_places(talk: Talk, text: str, tool: str, args: dict[str, object]) -> None:
    plan = await talk.services.conversation.plan(text)
    assert plan.via == "intent"
    assert plan.calls[0].tool == tool
    assert args.items() <= plan.calls[0].args.items()


async def test_cancel_that_refuses_what_waits_and_undoes_nothing_else(talk: Talk) -> None:
    await talk.say("remind me tomorrow at 9 to call the clinic")
    await talk.say("reply to my sister that Friday afternoon works")
    await talk.say("cancel that")
    assert not talk.services.approvals.pending("s")
    assert "clinic" in await talk.reply("show my reminders")


async def test_a_yes_to_two_things_at_once_approves_none(talk: Talk) -> None:
    await talk.say("reply to my sister that Friday afternoon works")
    await talk.say("reply to my sister that Saturday works too")
    assert "Several" in await talk.reply("yes")
    assert not await talk.services.outbox.list()
    assert len(talk.services.approvals.pending("s")) == 2


THREE = "\n".join(
    (act("reminders.timer", duration="10 minutes", label="tea"), "reminders.cancel()", "reminders.list()")
)


@pytest.mark.parametrize("talk", [[THREE]], indirect=True)
async def test_a_question_in_the_middle_repeats_nothing_and_loses_nothing(talk: Talk) -> None:
    events = await talk.say("now a timer for tea of 10 minutes, then cancel one reminder, then list the reminders left")
    assert [event.missing for event in events if event.type == "question"] == [("text",)]
    events = await talk.say("tea")
    tools = [event.tool for event in events if event.type == "tool-started"]
    assert tools.count("reminders.timer") <= 1
    assert tools[-2:] == ["reminders.cancel", "reminders.list"]


@pytest.mark.parametrize("talk", [[act("reminders.add", text="renew", when="30 February")]], indirect=True)
async def test_the_model_can_not_make_the_impossible_possible(talk: Talk) -> None:
    events = await talk.say("it is about renewing the passport on February 30th, so remember")
    assert not [event for event in events if event.type == "tool-started"]


@pytest.mark.parametrize("talk", [[act("bank.rob", amount="1")]], indirect=True)
async def test_a_tool_that_was_not_offered_is_not_understood(talk: Talk) -> None:
    assert "other words" in await talk.reply("could you perhaps take care of that thing")


async def test_what_can_not_be_taken_back_is_said_and_nothing_older_is_taken_instead(talk: Talk) -> None:
    await talk.say("remind me tomorrow at 9 to call the clinic")
    talk.services.sessions.can_undo("s", "op", "weather.note", None)
    assert "can't be taken back" in await talk.reply("undo")
    assert "clinic" in await talk.reply("show my reminders")
    await talk.say("undo")
    assert "clinic" not in await talk.reply("show my reminders")


async def test_an_answer_without_a_language_of_its_own_keeps_the_conversations(talk: Talk) -> None:
    await talk.say("提醒我浇花")
    events = await talk.say("10:30")
    assert "浇花" in next(event for event in events if event.type == "reply").text
    assert "提醒" in next(event for event in events if event.type == "reply").text


@pytest.mark.parametrize("text", ["我的余额是多少", "额，我的余额是多少", "嗯我的余额是多少"])
async def test_a_filler_is_dropped_and_no_part_of_a_word(talk: Talk, text: str) -> None:
    plan = await talk.services.conversation.plan(text)
    assert (plan.via, [call.tool for call in plan.calls]) == ("intent", ["banking.balance"])


@pytest.mark.parametrize(
    "talk",
    [
        [
            act("calendar.create_event", title="budget meeting", start="at half past two"),
            act("calendar.create_event", title="the company needs the whole morning for that"),
        ]
    ],
    indirect=True,
)
async def test_a_call_that_the_model_writes_again_replaces_the_one_before(talk: Talk) -> None:
    await talk.say("put a budget meeting in my calendar for Wednesday at 10")
    said = await talk.reply("the caterers can only come to the budget meeting at half past two")
    assert "Wed 25 Nov" in said
    assert "14:30" in said
    listed = await talk.reply("what's in my calendar on Wednesday?")
    assert listed.count("budget meeting") == 1
    assert "10:00" not in listed
    await talk.say("the company needs the whole morning for that")
    assert "budget meeting" in await talk.reply("what's in my calendar on Wednesday?")
