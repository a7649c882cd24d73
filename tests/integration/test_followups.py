"""Turns that lean on the ones before: pronouns, things shown, questions about them, corrections, taken-up questions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from assistant.conversation.answers import answer_of
from assistant.conversation.intents import Sentences
from assistant.conversation.phrases import invites, takes_away
from assistant.conversation.spans import mask
from assistant.daemon import bundled_sentences
from assistant.models import Language
from assistant.values import Impossible, Period
from tests.integration.test_conversation import deliver, script
from tests.support.talk import NOW, USER, Talk, talking

SENTENCES = Sentences([bundled_sentences()])


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    mailbox = tmp_path / "Maildir"
    anna = "The concert is on 4 December at 8 pm in the old town hall. Shall we go?"
    deliver(mailbox, 1, "Lan Lin <lan@example.cn>", "周五", "周五下午有空吗？", "Thu, 19 Nov 2026 12:00:00 +0100")
    deliver(mailbox, 2, "Anna Weber <weber@example.org>", "Tickets", anna, "Sun, 22 Nov 2026 12:00:00 +0100")
    settings = {"email": {"settings": {"mailbox": str(mailbox), "address": "mei@example.org"}}}
    async with talking(tmp_path / "home", USER, script([]), skills=settings) as made:  # type: ignore[arg-type]
        yield made


def calls(events: list[object]) -> list[tuple[str, dict[str, object]]]:
    return [(event.tool, event.args) for event in events if getattr(event, "type", "") == "tool-started"]  # type: ignore[attr-defined]


async def test_who_a_mail_is_from_and_what_it_says_is_answered_from_what_was_shown(talk: Talk) -> None:
    await talk.say("any new mail?")
    assert "Anna Weber" in await talk.reply("who's the newest one from?")
    assert "old town hall" in await talk.reply("read it to me")
    assert "4 December" in await talk.reply("when is the concert?")
    assert not talk.model.requests


async def test_a_pronoun_is_who_was_spoken_of_last(talk: Talk) -> None:
    await talk.say("read the mail from my sister")
    events = await talk.say("has she written to me?")
    assert calls(events) == [("email.search", {"sender": "Lan Lin"})]  # type: ignore[arg-type]
    assert calls(await talk.say("reply that Friday is fine"))[-1][0] == "email.reply"  # type: ignore[arg-type]


async def test_the_second_one_is_the_second_that_was_shown(talk: Talk) -> None:
    shown = await talk.say("any new mail?")
    reply = next(event for event in shown if event.type == "reply")
    wanted = reply.data["items"][1]["subject"]
    assert wanted in await talk.reply("read the second one")


async def test_the_evening_before_is_before_what_was_spoken_of(talk: Talk) -> None:
    await talk.say("read the mail from Anna Weber")
    [(tool, args)] = calls(await talk.say("remind me at eight pm the evening before"))  # type: ignore[arg-type]
    assert (tool, args["when"]) == ("reminders.add", "2026-12-03T20:00")


async def test_a_list_goes_on_and_things_go_off_it(talk: Talk) -> None:
    await talk.say("add milk and eggs to the shopping list")
    await talk.say("and butter")
    assert "butter" in await talk.reply("what's on it now?")
    await talk.say("take the eggs off again")
    left = await talk.reply("what's on the shopping list?")
    assert "eggs" not in left
    assert "milk" in left


async def test_a_list_goes_on_in_chinese(talk: Talk) -> None:
    await talk.say("把牛奶和鸡蛋加到购物清单")
    await talk.say("哦对，还有葱")
    assert "葱" in await talk.reply("清单上都有什么")
    await talk.say("鸡蛋不用了，划掉")
    assert "鸡蛋" not in await talk.reply("购物清单上有什么")


async def test_what_was_taken_back_can_be_put_back(talk: Talk) -> None:
    await talk.say("put the concert in my calendar, Friday at eight in the evening")
    await talk.say("cancel that")
    assert "concert" not in await talk.reply("what's on Friday?")
    await talk.say("oh no, I do want it, put it back")
    assert "concert" in await talk.reply("what's on Friday?")


async def test_a_place_is_put_to_what_was_just_made(talk: Talk) -> None:
    await talk.say("后天上午十点开项目会，帮我记到日历上")
    [(tool, args)] = calls(await talk.say("地点写二楼小会议室"))  # type: ignore[arg-type]
    assert (tool, args["location"]) == ("calendar.create_event", "二楼小会议室")
    assert (await talk.reply("后天有什么安排")).count("项目会") == 1


async def test_a_question_left_open_is_taken_up_again_by_what_it_was_about(talk: Talk) -> None:
    await talk.say("remind me to pick up the cake")
    await talk.say("what time is it in New York?")
    [(tool, args)] = calls(await talk.say("ok so the cake, tomorrow at six pm"))  # type: ignore[arg-type]
    assert (tool, args) == ("reminders.add", {"text": "pick up the cake", "when": "2026-11-24T18:00"})
    [(_, changed)] = calls(await talk.say("no wait, seven"))  # type: ignore[arg-type]
    assert changed["when"] == "2026-11-24T19:00"


async def test_a_correction_with_more_words_around_it_is_one(talk: Talk) -> None:
    await talk.say("明天下午三点提醒我打印合同")
    [(_, args)] = calls(await talk.say("不对，四点吧，稳一点"))  # type: ignore[arg-type]
    assert args["when"] == "2026-11-24T16:00"


async def test_a_thing_that_was_listed_is_dropped_by_its_place_or_its_words(talk: Talk) -> None:
    await talk.say("remind me tomorrow at 9 to call the clinic")
    await talk.say("remind me tomorrow at 10 to print the contract")
    await talk.say("show my reminders")
    [(tool, args)] = calls(await talk.say("drop the last one"))  # type: ignore[arg-type]
    assert (tool, args) == ("reminders.cancel", {"text": "print the contract"})


async def test_a_yes_to_nothing_and_thanks_call_nothing(talk: Talk) -> None:
    for said in ("yes, send it", "no", "thanks, that's all for now", "好的，谢谢", "行"):
        assert not calls(await talk.say(said))  # type: ignore[arg-type]
    assert not talk.model.requests


async def test_a_no_with_a_reason_drops_the_question(talk: Talk) -> None:
    await talk.say("send my sister an email")
    assert "?" not in await talk.reply("oh never mind, I'll call her")
    assert not calls(await talk.say("yes"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("language", "text", "answer"),
    [
        ("en", "yes, send it", "yes"),
        ("en", "yeah go for it", "yes"),
        ("en", "perfect", "yes"),
        ("en", "yes, but to Bob", None),
        ("en", "hmm no, don't send that yet", "no"),
        ("en", "no, to Bob", "no_and_more"),
        ("en", "thanks, that's all for now", "thanks"),
        ("en", "send Bob a mail", None),
        ("zh", "行，发吧", "yes"),
        ("zh", "嗯，可以，发出去", "yes"),
        ("zh", "可以发，不过先改一下", None),
        ("zh", "先别发", "no"),
        ("zh", "算了，我打电话给她吧", "no_and_more"),
        ("zh", "好了，没别的事了，谢谢你", "thanks"),
    ],
)
def test_yes_and_no_are_known_in_any_wording(language: Language, text: str, answer: str | None) -> None:
    def tool_of(clause: str) -> str:
        match = SENTENCES.match(mask(clause, NOW), language)
        return match.tool if match else ""

    assert answer_of(text, language, tool_of) == answer


@pytest.mark.parametrize(
    "text",
    ["Erinnere mich an den Zahnarzt", "remind me of the dentist", "提醒我看牙", "recuérdame llamar al banco"],
)
def test_what_speaks_of_no_taking_away_takes_nothing_away(text: str) -> None:
    assert not takes_away(text)


@pytest.mark.parametrize(
    "text",
    [
        "Lösch die Mail",
        "take it off the list",
        "borra los correos",
        "取消明天的会",
        "annule le rendez-vous",
        "削除して",
    ],
)
def test_taking_away_is_heard_in_six_languages(text: str) -> None:
    assert takes_away(text)


def test_an_invitation_is_heard() -> None:
    assert invites("Invite Anna to lunch")
    assert invites("下周二开会，邀请王伟参加")
    assert not invites("lunch with Anna")


def test_a_range_that_ends_before_it_begins_is_impossible() -> None:
    for said in ("du 12 au 10 décembre", "from the 12th to the 10th of December", "vom 12. bis 10. Dezember"):
        [span] = mask(said, NOW).spans[:1]
        assert isinstance(span.value, Impossible), said
    assert isinstance(mask("from Dec 28 to Jan 3", NOW).spans[0].value, Period)


async def test_a_short_text_takes_in_no_second_request_and_a_place_no_number(talk: Talk) -> None:
    plan = await talk.services.conversation.plan(
        "Send my sister 35 euros for pizza and remind me tomorrow at 9 to check that she got it"
    )
    assert [call.tool for call in plan.calls] == ["banking.transfer", "reminders.add"]
    plan = await talk.services.conversation.plan("下周五到下周日在布拉格找个酒店，两个人住")
    assert (plan.calls[0].args["place"], plan.calls[0].args["guests"]) == ("布拉格", 2)
    plan = await talk.services.conversation.plan("给姐姐转二十五块五，备注午饭钱")
    assert plan.calls[0].args["amount"] == "25.50"


async def test_a_reason_before_the_correction_is_no_request(talk: Talk) -> None:
    await talk.say("周六晚上六点跟朋友桌游，记到日历")
    assert "18:30" in await talk.reply("六点怕赶不上，改成六点半")
    await talk.say("put yoga in my calendar for Friday at 6 pm")
    assert "19:00" in await talk.reply("six is too tight, make it 7 pm")


async def test_what_there_is_at_home_comes_off_the_list(talk: Talk) -> None:
    await talk.say("把瓜子和花生加到年货清单")
    await talk.say("花生家里还有，去掉吧")
    left = await talk.reply("那单子上还剩什么")
    assert "瓜子" in left
    assert "花生" not in left
    await talk.say("add milk and eggs to the shopping list")
    await talk.say("we still have eggs, take them off")
    assert "eggs" not in await talk.reply("what's on it?")


async def test_words_are_added_to_what_waits_to_be_sent(talk: Talk) -> None:
    await talk.say("reply to my sister that Friday works")
    events = await talk.say("add that I'll be there by noon")
    approval = next(event.approval for event in events if event.type == "approval-wanted")
    assert approval.action.args["body"] == "Friday works. I'll be there by noon"


@pytest.mark.parametrize("text", ["take that back, I'll write it down myself", "算了撤掉吧 我自己记本子上"])
async def test_an_undo_may_say_why(talk: Talk, text: str) -> None:
    await talk.say("remind me tomorrow at 9 to call the clinic")
    await talk.say(text)
    assert "clinic" not in await talk.reply("what are my reminders?")


async def test_the_first_of_two_times_is_refused(talk: Talk) -> None:
    await talk.say("put yoga in my calendar for Thursday at 6 pm")
    assert "Wed" in await talk.reply("ah no, not Thursday, Wednesday, same time")


async def test_that_morning_is_of_the_day_that_was_spoken_of(talk: Talk) -> None:
    await talk.say("put the train to Hamburg in my calendar for next Monday at 7:36 am")
    events = await talk.say("remind me at a quarter to six that morning to leave the house")
    started = next(event for event in events if event.type == "tool-started")
    assert started.args == {"text": "leave the house", "when": "2026-11-30T05:45"}


async def test_the_evening_before_is_no_part_of_the_errand(talk: Talk) -> None:
    await talk.say("put the plumber in my calendar for Friday at 9 am")
    events = await talk.say("and remind me at nine the night before to clear the kitchen")
    started = next(event for event in events if event.type == "tool-started")
    assert started.args == {"text": "clear the kitchen", "when": "2026-11-26T21:00"}


async def test_one_value_and_words_that_say_nothing_else_are_a_correction(talk: Talk) -> None:
    await talk.say("put haircut in for Saturday at eleven")
    assert "12:30" in await talk.reply("they've just rung, it's got to be an hour and a half later")
    assert "27 Nov" in await talk.reply("Friday then, Saturday's too busy")
    assert "10:00" in await talk.reply("ten suits me better, actually")
    assert "11:00" in await talk.reply("eleven's better, though")
    assert "11:30" in await talk.reply("half an hour will do")
    assert "trim" in await talk.reply("and call it trim")
    await talk.say("明天早上七点叫我起床")
    assert "07:30" in await talk.reply("太早了，晚半小时")
    assert "25日" in await talk.reply("后天吧，明天起不来")


async def test_an_hour_is_corrected_in_its_half_of_the_day(talk: Talk) -> None:
    await talk.say("remind me to water the plants tomorrow at eight")
    assert "09:15" in await talk.reply("sorry, I meant quarter past nine")


async def test_a_list_goes_on_without_an_and(talk: Talk) -> None:
    await talk.say("put milk on the shopping list")
    await talk.say("toothbrush too")
    await talk.say("ooh and batteries")
    await talk.say("scratch the milk, I've got some there")
    left = await talk.reply("what's on the shopping list?")
    assert "toothbrush" in left
    assert "batteries" in left
    assert "milk" not in left


async def test_what_goes_may_have_a_reason(talk: Talk) -> None:
    await talk.say("remind me to water the plants tomorrow at 6 pm")
    assert "water the plants" in await talk.reply("oh, and the plant reminder can go, my neighbour's doing it")


async def test_a_question_is_answered_after_small_talk(talk: Talk) -> None:
    await talk.say("remind me to collect the parcel")
    await talk.say("what time is it?")
    assert "17:30" in await talk.reply("right, half past five tomorrow afternoon")


async def test_a_question_stays_open_over_another_request(talk: Talk) -> None:
    await talk.say("remind me to pick up the cake")
    assert "New York" in await talk.reply("hang on, what time is it in New York?")
    assert "cake" in await talk.reply("ok so the cake, tomorrow at six pm")


async def test_an_ok_before_a_no_is_no_yes(talk: Talk) -> None:
    await talk.say("send an email to Anna Weber saying that I will be late")
    await talk.say("ok, I'll sleep on it")
    assert not await talk.services.outbox.list()
    assert not talk.services.approvals.pending("s")


async def test_a_month_is_no_time_of_a_dinner(talk: Talk) -> None:
    await talk.say("put dinner with Lan in for Wednesday at seven in the evening")
    await talk.say("no, November")
    assert "19:00" in await talk.reply("what's in my calendar on Wednesday?")
