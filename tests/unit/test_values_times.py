"""Time expressions: two tables written from what the phrases mean, and properties that hold for any text and time."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from assistant.values import (
    Duration,
    Impossible,
    Interval,
    Moment,
    Period,
    TimeValue,
    as_period,
    find,
    format_duration,
    parse,
    parse_duration,
)
from assistant.values.numbers import parse_integer, write_chinese

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 10, tzinfo=BERLIN)
HERE = Path(__file__).parent


def table(name: str) -> list[tuple[str, str]]:
    rows = YAML(typ="safe").load((HERE / name).read_text(encoding="utf-8"))
    return [(str(phrase), str(meaning)) for phrase, meaning in rows.items()]


def written(value: TimeValue) -> str:
    if isinstance(value, Impossible):
        return "impossible"
    if isinstance(value, Period):
        return f"{value.start}..{value.end}"
    if isinstance(value, Duration):
        return format_duration(value.length)
    if isinstance(value, Interval):
        same = value.start.date() == value.end.date()
        end = f"{value.end:%H:%M}" if same else f"{value.end:%Y-%m-%dT%H:%M}"
        return f"{value.start:%Y-%m-%dT%H:%M}/{end}{f' {value.recurrence}' if value.recurrence else ''}"
    at = str(value.day) if value.precision == "day" else f"{value.at:%Y-%m-%dT%H:%M}"
    return f"{at}{'~' if value.precision == 'part' else ''}{f' {value.recurrence}' if value.recurrence else ''}"


def read(text: str) -> str:
    return "; ".join(written(span.value) for span in find(text, NOW)) or "-"


@pytest.mark.parametrize(("phrase", "meaning"), table("values_en.yaml"))
def test_english_expressions_mean_what_they_say(phrase: str, meaning: str) -> None:
    assert read(phrase) == meaning


@pytest.mark.parametrize(("phrase", "meaning"), table("values_zh.yaml"))
def test_chinese_expressions_mean_what_they_say(phrase: str, meaning: str) -> None:
    assert read(phrase) == meaning


@pytest.mark.parametrize("name", ["values_en.yaml", "values_zh.yaml"])
def test_each_table_has_at_least_150_expressions(name: str) -> None:
    assert len(table(name)) >= 150


@pytest.mark.parametrize(
    "phrase",
    ["remind me {} to call", "{}提醒我开会", "remind me to call {}", "请在{}叫我", "Hi! {}, please", "　{}。"],
)
@pytest.mark.parametrize("when", ["tomorrow at 9 am", "明天上午九点"])
def test_a_span_is_exactly_the_words_of_the_original_text(phrase: str, when: str) -> None:
    text = phrase.format(when)
    (span,) = find(text, NOW)
    assert text[span.start : span.end] == span.text
    assert span.text.removeprefix("在") == when
    assert written(span.value) == "2026-11-24T09:00"


def test_a_sentence_may_hold_several_times_in_both_languages() -> None:
    spans = find("明天下午三点 meeting for 45 minutes, then tomorrow at 6 pm 提醒我, 下周五 too", NOW)
    assert [written(span.value) for span in spans] == ["2026-11-24T15:00", "PT45M", "2026-11-24T18:00", "2026-12-04"]


def test_a_range_of_hours_is_one_span_with_its_day_and_its_preposition() -> None:
    for text, words in (
        (
            "put it in on December 2nd from 10 to 11:30 in the morning please",
            "on December 2nd from 10 to 11:30 in the morning",
        ),
        ("block from 2 to 4 pm tomorrow for Anna", "from 2 to 4 pm tomorrow"),
        ("between 2 and 3 pm call me", "between 2 and 3 pm"),
        ("下周二上午十点到十一点开会", "下周二上午十点到十一点"),
        ("请在明天下午两点和四点之间提醒我", "在明天下午两点和四点之间"),
    ):
        (span,) = find(text, NOW)
        assert span.text == words
        assert isinstance(span.value, Interval)


@pytest.mark.parametrize(
    ("now", "phrase", "meaning"),
    [
        ("2026-11-23T22:00", "at 7", "2026-11-24T07:00"),
        ("2026-11-23T22:00", "at 9", "2026-11-24T09:00"),
        ("2026-11-23T20:00", "at 5", "2026-11-24T17:00"),
        ("2026-11-23T22:30", "今天", "2026-11-23"),
        ("2026-11-29T12:00", "下周一", "2026-11-30"),
        ("2026-11-29T12:00", "next Monday", "2026-11-30"),
        ("2026-11-29T12:00", "this Friday", "2026-11-27"),
        ("2026-11-29T12:00", "Friday", "2026-12-04"),
        ("2026-11-30T12:00", "end of the month", "2026-11-30"),
        ("2026-12-31T23:30", "in an hour", "2027-01-01T00:30"),
        ("2026-01-31T10:00", "in a month", "2026-02-28"),
        ("2026-01-31T10:00", "on the 30th", "2026-03-30"),
        ("2028-02-28T10:00", "tomorrow", "2028-02-29"),
        ("2026-11-23T10:30", "half past ten", "2026-11-23T22:30"),
    ],
)
def test_expressions_are_seen_from_now(now: str, phrase: str, meaning: str) -> None:
    spans = find(phrase, datetime.fromisoformat(now).replace(tzinfo=BERLIN))
    assert [written(span.value) for span in spans] == [meaning]


def test_days_lie_behind_where_the_past_is_preferred() -> None:
    assert [written(span.value) for span in find("on Friday", NOW, prefer="past")] == ["2026-11-20"]
    assert [written(span.value) for span in find("11月5号", NOW, prefer="past")] == ["2026-11-05"]
    assert [written(span.value) for span in find("in December", NOW, prefer="past")] == ["2025-12-01..2025-12-31"]


def test_an_hour_that_the_clocks_skip_moves_forward_and_a_doubled_one_is_the_first() -> None:
    spring = datetime(2027, 3, 27, 12, tzinfo=BERLIN)
    autumn = datetime(2026, 10, 24, 12, tzinfo=BERLIN)
    (skipped,), (doubled,) = find("tomorrow at 2:30 am", spring), find("tomorrow at 2:30 am", autumn)
    assert isinstance(skipped.value, Moment)
    assert isinstance(doubled.value, Moment)
    assert skipped.value.at.isoformat() == "2027-03-28T03:30:00+02:00"
    assert doubled.value.at.isoformat() == "2026-10-25T02:30:00+02:00"


def test_hours_ahead_are_elapsed_time_over_a_clock_change() -> None:
    before = datetime(2026, 10, 25, 1, 30, tzinfo=BERLIN)
    (span,) = find("in two hours", before)
    assert isinstance(span.value, Moment)
    assert span.value.at.timestamp() - before.timestamp() == 7200


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("2026-11-24T09:00", "2026-11-24T09:00"),
        ("2026-11-24 09:00:00", "2026-11-24T09:00"),
        ("2026-11-24T09:00:00Z", "2026-11-24T10:00"),
        ("2026-11-24T09:00+08:00", "2026-11-24T02:00"),
        ("2026-11-24", "2026-11-24"),
        ("PT10M", "PT10M"),
        ("now", "2026-11-23T10:00"),
        ("on Thursday, at 3:30 pm.", "2026-11-26T15:30"),
        ("2026-02-30T09:00", "impossible"),
        ("2026-11-24T25:00", "impossible"),
    ],
)
def test_a_whole_phrase_and_what_a_model_writes_are_read(text: str, meaning: str) -> None:
    value = parse(text, NOW)
    assert value is not None
    assert written(value) == meaning


@pytest.mark.parametrize("text", ["", "call Anna tomorrow", "tomorrow and Friday", "soon", "买牛奶", "25", "P", "PT"])
def test_what_is_not_one_time_expression_is_none(text: str) -> None:
    assert parse(text, NOW) is None


def test_a_period_covers_a_single_day_too_but_not_a_repetition() -> None:
    assert as_period(parse("tomorrow", NOW)) == Period(date(2026, 11, 24), date(2026, 11, 24))  # type: ignore[arg-type]
    assert as_period(parse("every day", NOW)) is None  # type: ignore[arg-type]


@given(st.text(max_size=200))
@settings(max_examples=120, deadline=None)
def test_no_text_at_all_makes_it_stumble(text: str) -> None:
    _check_spans(text)


_WORDS = [phrase for name in ("values_en.yaml", "values_zh.yaml") for phrase, _ in table(name)]
_GLUE = [
    " ",
    "",
    "的",
    " to ",
    "到",
    " and ",
    "9999",
    "99999年",
    " before ",
    "-",
    ":",
    "每",
    "every ",
    "最近",
    "since ",
]


@given(st.lists(st.sampled_from(_WORDS + _GLUE), max_size=8).map("".join))
@settings(max_examples=120, deadline=None)
def test_no_mixture_of_time_words_makes_it_stumble(text: str) -> None:
    _check_spans(text)


def _check_spans(text: str) -> None:
    end = 0
    for span in find(text, NOW):
        assert end <= span.start < span.end <= len(text)
        assert span.text == text[span.start : span.end]
        end = span.end
    parse(text, NOW)
    parse_duration(text)


def test_far_years_are_out_of_range_instead_of_an_error() -> None:
    late = datetime(9999, 12, 31, 12, tzinfo=BERLIN)
    for phrase in (
        "tomorrow",
        "next month",
        "in 9999 years",
        "every day at 9",
        "下下周五",
        "in two hours",
        "on the 31st",
    ):
        for span in find(phrase, late):
            assert span.text == phrase


days = st.dates(date(2026, 11, 24), date(2028, 12, 31))
hours = st.tuples(st.integers(0, 23), st.integers(0, 59))
MONTHS = "January February March April May June July August September October November December".split()


@given(days, hours)
@settings(max_examples=60, deadline=None)
def test_any_day_and_time_written_out_is_read_back(day: date, hour: tuple[int, int]) -> None:
    h, m = hour
    meridiem = "am" if h < 12 else "pm"
    english = [
        f"{day.isoformat()} {h:02}:{m:02}",
        f"on {day.day} {MONTHS[day.month - 1]} {day.year} at {h:02}:{m:02}",
        f"{MONTHS[day.month - 1]} {day.day}, {day.year} at {(h - 1) % 12 + 1}:{m:02} {meridiem}",
        f"{day:%A}, {day.day} {day:%b} {day.year} at {h:02}:{m:02}",
        f"the {ordinal(day.day)} of {day:%B} {day.year} at {h:02}:{m:02}",
        f"{day.day}.{day.month}.{day.year} at {h:02}:{m:02}",
        f"{day:%m/%d/%Y} at uh {h:02}:{m:02}",
        f"on {day:%Y/%m/%d}, {h:02}:{m:02}",
    ]
    chinese = [
        f"{day.year}年{day.month}月{day.day}日{h:02}:{m:02}",
        f"{day.year}年{write_chinese(day.month)}月{write_chinese(day.day)}号{_chinese_time(h, m)}",
        f"{in_digits(day.year)}年{day.month}月{day.day}日{h:02}点{m:02}分",
        f"{day.year}/{day.month}/{day.day} {h:02}:{m:02}",
        f"{day.year}.{day.month}.{day.day}嗯{_chinese_time(h, m)}",
    ]
    expected = datetime(day.year, day.month, day.day, h, m)
    for text in english + chinese:
        (span,) = find(text, NOW)
        assert isinstance(span.value, Moment), text
        at = span.value.at.replace(tzinfo=None)
        # The hour that the clocks skip in spring is the only one that cannot come back.
        assert at in (expected, expected + timedelta(hours=1)) if _skipped(expected) else at == expected, text


def in_digits(year: int) -> str:
    return "".join("〇一二三四五六七八九"[int(digit)] for digit in str(year))


def ordinal(number: int) -> str:
    ending = "th" if 10 < number < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


@given(days, hours, st.integers(1, 17 * 60))
@settings(max_examples=60, deadline=None)
def test_any_interval_written_out_is_read_back(day: date, hour: tuple[int, int], minutes: int) -> None:
    start = datetime(day.year, day.month, day.day, *hour)
    end = start + timedelta(minutes=minutes)
    if any(_skipped(at) for at in (start, end)):
        return
    clocks = f"from {start:%H:%M} to {end:%H:%M}"
    half = f"from {start:%I:%M %p} to {end:%I:%M %p}".lower()
    for text in (
        f"on {day.isoformat()} {clocks}",
        f"{clocks} on {day.day} {day:%B} {day.year}",
        f"{day:%B} {day.day}, {day.year} {half}",
        f"{day.year}年{day.month}月{day.day}日{start:%H:%M}到{end:%H:%M}",
        f"{day.year}年{day.month}月{day.day}日{_chinese_time(*hour)}到{_chinese_time(end.hour, end.minute)}",
    ):
        (span,) = find(text, NOW)
        assert isinstance(span.value, Interval), text
        assert (span.value.start.replace(tzinfo=None), span.value.end.replace(tzinfo=None)) == (start, end), text


@given(days)
@settings(max_examples=60, deadline=None)
def test_a_date_in_numbers_is_ordered_as_the_locale_orders_it(day: date) -> None:
    for text, locale in ((f"{day:%m/%d/%Y}", "en"), (f"{day:%d/%m/%Y}", "en-GB"), (f"{day:%d/%m/%Y}", "de")):
        value = parse(text, NOW, locale=locale)
        assert isinstance(value, Moment), text
        assert value.day == day, (text, locale)


def _chinese_time(hour: int, minute: int) -> str:
    part = "凌晨" if hour < 6 else "上午" if hour < 12 else "中午" if hour == 12 else "下午" if hour < 18 else "晚上"
    spoken = hour if hour <= 12 else hour - 12
    tail = "" if minute == 0 else f"零{write_chinese(minute)}分" if minute < 10 else f"{write_chinese(minute)}分"
    return f"{part}{write_chinese(spoken)}点{tail}"


def _skipped(naive: datetime) -> bool:
    aware = naive.replace(tzinfo=BERLIN)
    return datetime.fromtimestamp(aware.timestamp(), BERLIN).replace(tzinfo=None) != naive


@given(st.integers(1, 99), st.integers(1, 59))
@settings(max_examples=100, deadline=None)
def test_any_length_written_out_is_read_back(hours: int, minutes: int) -> None:
    length = timedelta(hours=hours, minutes=minutes)
    plural = "" if hours == 1 else "s"
    for text in (
        f"{hours} hour{plural} and {minutes} minutes",
        f"{hours}h{minutes:02}m",
        f"{hours}小时{minutes}分钟",
        f"{write_chinese(hours)}个小时{write_chinese(minutes)}分钟",
        format_duration(length),
    ):
        assert parse_duration(text) == length, text
    (ahead,) = find(f"{hours}小时{minutes}分钟后", NOW)
    assert isinstance(ahead.value, Moment)
    assert ahead.value.at.timestamp() == NOW.timestamp() + length.total_seconds()


LENGTHS = YAML(typ="safe").load((HERE / "durations.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("phrase", "meaning"), [*LENGTHS["english"].items(), *LENGTHS["chinese"].items()])
def test_a_phrase_that_is_a_length_of_time_is_read(phrase: str, meaning: str) -> None:
    length = parse_duration(phrase)
    assert ("-" if length is None else format_duration(length)) == meaning


@given(st.integers(1, 99), st.sampled_from([("day", "天", 1), ("week", "周", 7), ("month", "个月", 30)]))
def test_any_number_of_days_weeks_or_months_is_read_back(number: int, unit: tuple[str, str, int]) -> None:
    english, chinese, days = unit
    for text in (f"{number} {english}{'' if number == 1 else 's'}", f"{write_chinese(number)}{chinese}"):
        length = parse_duration(text)
        assert length is not None, text
        # Twelve months are a year of 365 days.
        assert length.days == number * days + (number // 12 * 5 if english == "month" else 0), text


@given(st.timedeltas(timedelta(), timedelta(days=99_999)))
def test_an_iso_duration_is_read_back(length: timedelta) -> None:
    assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize(
    "piece",
    [
        "uh ",
        "the week before ",
        "1/2",
        "1.2.",
        "Christmas ",
        "10-",
        "from 10 to ",
        "十点到",
        "春节前一天",
        "1",
        "one ",
        " ",
        "一",
        "every monday, ",
        "每周一、",
        "1小时",
        "half past ",
        "9:00 ",
        "今天",
    ],
)
def test_a_very_long_text_is_read_before_the_suite_gives_up(piece: str) -> None:
    # A quadratic rule would still be reading when the suite's time limit ends the test.
    _check_spans((piece * 4_000)[:4_000])


@given(st.integers(0, 99))
def test_a_number_written_in_chinese_is_read_back(number: int) -> None:
    assert parse_integer(write_chinese(number)) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("twenty-five", 25),
        ("twelve", 12),
        ("7", 7),
        ("两", 2),
        ("一百零五", 105),
        ("三千二百", 3200),
        ("many", None),
        ("", None),
        ("1.5", None),
    ],
)
def test_whole_numbers_in_words(text: str, number: int | None) -> None:
    assert parse_integer(text) == number
