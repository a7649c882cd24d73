"""The day in short: what each skill says of it, in a few sentences that name where they are from."""

from __future__ import annotations

import mailbox
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from assistant.models import Person, UserContext
from tests.support.mail import deliver, mail
from tests.support.talk import NOW, Talk, talking

USER = UserContext(
    name="Mei Lin",
    email="mei@example.org",
    zone="Europe/Berlin",
    contacts=(Person(name="Anna Schmidt", aliases=("Anna",), email="anna.schmidt@example.org"),),
)
NEWS = {"List-Unsubscribe": "<mailto:off@shop.example>"}


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    inbox = tmp_path / "mail"
    mailbox.Maildir(inbox).close()
    deliver(
        inbox,
        mail(subject="Budget", body="Hello Mei,\n\nCould you send me the figures by noon?\n\nAnna\n"),
        mail("news@shop.example", "50% off?", "Do you want it?\n", headers=NEWS),
        mail("no-reply@bank.example", "Statement", "Is this you?\n"),
        mail("Tom <tom@example.org>", "FYI", "The report is attached.\n"),
        mail("Tom <tom@example.org>", "Dinner", "Shall we eat?\n", to="others@example.org"),
        mail("Tom <tom@example.org>", "Old", "Can you come?\n", at=NOW - timedelta(days=20)),
        mail("王伟 <wangwei@example.cn>", "周五聚餐", "周五晚上能不能来？\n", at=NOW - timedelta(hours=2)),
    )
    deliver(inbox, mail("Tom <tom@example.org>", "Read", "Can you help?\n"), seen=True)
    settings = {"email": {"settings": {"mailbox": str(inbox)}}}
    async with talking(tmp_path / "home", USER, skills=settings) as made:
        yield made


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talking(tmp_path / "home", USER) as made:
        yield made


async def test_mails_events_reminders_and_birthdays_are_joined_and_sourced(talk: Talk, tmp_path: Path) -> None:
    cards = tmp_path / "home" / "data" / "skill-data" / "contacts"
    cards.mkdir(parents=True, exist_ok=True)
    card = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Tom Hoover\r\nN:Hoover;Tom;;;\r\nBDAY:1980-11-23\r\nEND:VCARD\r\n"
    (cards / "tom.vcf").write_text(card)
    await talk.say("put the review in my calendar today from 14:00 to 15:00")
    await talk.say("put the dentist in my calendar today from 14:30 to 15:30")
    await talk.say("put yesterday's news in my calendar today at 8 am")
    await talk.say("remind me to buy milk today at 6 pm")
    events = await talk.say("brief me")
    reply = next(event for event in events if event.type == "reply")
    assert reply.text.split("\n") == [
        "It is Monday 23 November.",
        "You have 2 events. Next is review at 14:00. Then dentist at 14:30. Careful, review and dentist collide.",
        "One reminder: buy milk at 18:00.",
        "2 mails want your answer: Anna Schmidt (“Budget”), 王伟 (“周五聚餐”).",
        "It is Tom Hoover's birthday.",
    ]
    items = reply.data["items"]
    assert [one["kind"] for one in items if one["kind"] != "event"] == ["reminder", "mail", "mail", "birthday"]
    asked = [(one["subject"], one["asks"]) for one in items if one["kind"] == "mail"]
    assert asked == [("Budget", "Could you send me the figures by noon?"), ("周五聚餐", "周五晚上能不能来？")]
    assert all(one.get("message_id") or one.get("event_id") or one.get("id") or one.get("name") for one in items)
    told = await talk.reply("来一份今天的简报")
    assert "今天是11月23日星期一。\n您有2项日程，接下来是14:00 review。" in told
    assert "有2封邮件等您回复：Anna Schmidt（“Budget”）" in told


@pytest.mark.parametrize("said", ["what's on today?", "今天有什么安排？", "今天有什么事？"])
async def test_a_question_about_today_is_answered_with_what_else_the_day_holds(talk: Talk, said: str) -> None:
    await talk.say("put the review in my calendar today at 14:00")
    told = await talk.reply(said)
    assert "14:00–15:00" in told
    assert "Budget" in told
    assert "周五聚餐" in told
    assert "50%" not in told


async def test_other_days_and_narrower_questions_are_answered_as_asked(talk: Talk) -> None:
    for said in ("what's on tomorrow?", "when is my dentist appointment?"):
        assert "Budget" not in await talk.reply(said)


async def test_with_no_account_and_nothing_on_it_is_short(bare: Talk) -> None:
    assert await bare.reply("brief me") == "It is Monday 23 November.\nNothing is in your calendar."
