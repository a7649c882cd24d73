"""Times and money in German, French, Spanish and Japanese: tables of what phrases mean, and what holds for any."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from pydoc_data import topics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from assistant.conversation.examples import read_rows
from assistant.conversation.language import detect
from assistant.values import (
    Moment,
    Money,
    find,
    find_money,
    format_amount,
    parse,
    parse_duration,
    parse_integer,
    parse_money,
    parse_rule,
)
from assistant.values.spoken import number
from assistant.values.tongue import plain, tongue
from tests.unit.test_values_times import NOW, read, table, written

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
LANGUAGES = ("de", "fr", "es", "ja")
ROWS = [(language, *row) for language in LANGUAGES for row in table(f"values_{language}.yaml")]
SPOKEN = YAML(typ="safe").load((HERE / "numbers_spoken.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_expressions_mean_what_they_say(language: str) -> None:
    rows = [(phrase, meaning) for one, phrase, meaning in ROWS if one == language]
    assert [(phrase, read(phrase)) for phrase, _ in rows] == rows


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_table_has_at_least_100_expressions(language: str) -> None:
    assert len(table(f"values_{language}.yaml")) >= 100


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("Bitte erinnere mich {} an den Zahnarzt!", "morgen um halb acht"),
        ("Schreib Anna, dass ich {} komme", "nächsten Montag um 18 Uhr 30"),
        ("Rappelle-moi {} d’appeler Maëlle", "demain à 18 h 30"),
        ("Écris à François que j'arrive {}.", "le 5 décembre à midi"),
        ("¡Recuérdame {} llamar a Begoña!", "mañana a las ocho y media de la tarde"),
        ("¿Puedes avisar a la señora Núñez {}?", "dentro de dos horas"),
        ("田中さんに{}電話するのをリマインドして", "明日の午後3時半"),
        ("　{}、洗濯物を取り込む。", "２０分後"),
    ],
)
def test_a_span_is_exactly_the_words_of_the_original_text(text: str, when: str) -> None:
    said = text.format(when)
    (span,) = find(said, NOW)
    assert said[span.start : span.end] == span.text
    assert re.sub(r"^(?:à|a|am|um|en) ", "", span.text) == when


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("auf Freitag um 11 Uhr", "2026-11-27T11:00"),
        ("bis zum 15. Dezember", "2026-12-15"),
        ("2. April", "2027-04-02"),
        ("jetzt", "2026-11-23T10:00"),
        ("pour demain à 9 h", "2026-11-24T09:00"),
        ("samedi 28 à 20 h", "2026-11-28T20:00"),
        ("maintenant", "2026-11-23T10:00"),
        ("para el jueves a las 9", "2026-11-26T09:00"),
        ("ahora mismo", "2026-11-23T10:00"),
        ("来週の金曜日までに", "2026-12-04"),
        ("今月", "2026-11-01..2026-11-30"),
        ("今すぐ", "2026-11-23T10:00"),
        ("2026-11-24T09:00", "2026-11-24T09:00"),
    ],
)
def test_a_whole_phrase_is_read_with_its_prepositions(text: str, meaning: str) -> None:
    value = parse(text, NOW)
    assert value is not None
    assert written(value) == meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("la cita es 5/12/26", "2026-12-05"),
        ("la fête est prévue 5/12/26", "2026-12-05"),
        ("die Besprechung ist 5/12/26", "2026-12-05"),
        ("会議は12/5です", "2026-12-05"),
    ],
)
def test_dates_in_digits_are_read_in_the_order_of_their_language(text: str, meaning: str) -> None:
    assert read(text) == meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("am Freitag", "2026-11-20"),
        ("vendredi", "2026-11-20"),
        ("le 5 novembre", "2026-11-05"),
        ("el viernes", "2026-11-20"),
        ("金曜日に", "2026-11-20"),
    ],
)
def test_days_lie_behind_where_the_past_is_preferred(text: str, meaning: str) -> None:
    assert [written(span.value) for span in find(text, NOW, prefer="past")] == [meaning]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("täglich", "FREQ=DAILY"),
        ("jeden Montag", "FREQ=WEEKLY;BYDAY=MO"),
        ("tous les jours", "FREQ=DAILY"),
        ("chaque mois", "FREQ=MONTHLY"),
        ("cada martes", "FREQ=WEEKLY;BYDAY=TU"),
        ("毎日", "FREQ=DAILY"),
        ("毎週月曜日", "FREQ=WEEKLY;BYDAY=MO"),
    ],
)
def test_a_repetition_in_words_is_a_rule(text: str, rule: str) -> None:
    assert parse_rule(text, NOW) == rule


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("zwei Stunden und 15 Minuten", 135),
        ("anderthalb Stunden", 90),
        ("une heure et quart", 75),
        ("trois quarts d'heure", 45),
        ("dos horas y media", 150),
        ("media hora", 30),
        ("1時間半", 90),
        ("90分", 90),
        ("zwei Katzen", None),
        ("deux chats", None),
    ],
)
def test_a_length_of_time_in_words_is_read(text: str, minutes: int | None) -> None:
    assert parse_duration(text) == (None if minutes is None else timedelta(minutes=minutes))


@pytest.mark.parametrize("language", SPOKEN)
def test_numbers_in_words_are_read(language: str) -> None:
    assert {words: number(plain(words), language) for words in SPOKEN[language]} == SPOKEN[language]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("zwölf", 12),
        ("zwoelf", 12),
        ("dreissig", 30),
        ("fünfundzwanzig", 25),
        ("douze", 12),
        ("quinze", 15),
        ("doce", 12),
        ("once", None),
        ("six", 6),
    ],
)
def test_a_whole_number_is_read_where_its_language_is_sure(text: str, value: int | None) -> None:
    # In English "once" is no number.
    assert parse_integer(text) == value


MONTHS = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(),
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split(),
}


@given(st.dates(date(2026, 11, 24), date(2028, 12, 31)), st.integers(0, 23), st.integers(0, 59))
@settings(max_examples=60, deadline=None)
def test_any_day_and_time_written_out_is_read_back(day: date, hour: int, minute: int) -> None:
    expected = datetime(day.year, day.month, day.day, hour, minute)
    clock = f"{hour:02}:{minute:02}"
    names = {language: months[day.month - 1] for language, months in MONTHS.items()}
    for text in (
        f"am {day.day}. {names['de']} {day.year} um {hour:02} Uhr {minute:02}",
        f"am {day:%d.%m.%Y} um {clock} Uhr",
        f"le {day.day} {names['fr']} {day.year} à {hour:02}h{minute:02}",
        f"le {day:%d/%m/%Y} à {clock}",
        f"el {day.day} de {names['es']} de {day.year} a las {clock}",
        f"el {day:%d/%m/%Y} a las {clock}",
        f"{day.year}年{day.month}月{day.day}日の{'午前' if hour < 12 else '午後'}{hour % 12}時{minute}分に",
        f"{day.year}年{day.month}月{day.day}日の{clock}に",
    ):
        (span,) = find(text, NOW)
        assert isinstance(span.value, Moment), text
        at = span.value.at.replace(tzinfo=None)
        # The hour that the clocks skip in spring is the only one that cannot come back.
        assert at == expected or (at - expected == timedelta(hours=1) and expected.month == 3 and hour == 2), text


@given(st.integers(2, 99), st.integers(2, 59))
@settings(max_examples=40, deadline=None)
def test_any_length_written_out_is_read_back(hours: int, minutes: int) -> None:
    length = timedelta(hours=hours, minutes=minutes)
    for text in (
        f"{hours} Stunden und {minutes} Minuten",
        f"{hours} heures et {minutes} minutes",
        f"{hours} horas y {minutes} minutos",
        f"{hours}時間{minutes}分",
    ):
        assert parse_duration(text) == length, text


_WORDS = [phrase for _, phrase, _ in ROWS]
_GLUE = " ;; bis ; à ; y ;から; und ; de ;9999;-;:;.;jeden ;chaque ;cada ;毎;の;seit ;depuis ;\u0301;ß".split(";")


@given(st.lists(st.sampled_from(_WORDS + _GLUE), max_size=8).map("".join))
@settings(max_examples=150, deadline=None)
def test_no_mixture_of_time_words_makes_it_stumble(text: str) -> None:
    _check_spans(text)


@given(st.sampled_from(["Wir sehen uns um ", "à demain, ", "mañana a las ", "明日は"]), st.text(max_size=80))
@settings(max_examples=120, deadline=None)
def test_no_text_at_all_makes_it_stumble(lead: str, text: str) -> None:
    _check_spans(lead + text)


def _check_spans(text: str) -> None:
    end = 0
    for span in find(text, NOW):
        assert end <= span.start < span.end <= len(text)
        assert span.text == text[span.start : span.end]
        end = span.end
    parse(text, NOW)
    parse_duration(text)


@pytest.mark.parametrize("lead", ["übermorgen jeden ", "après-demain chaque ", "mañana cada ", "明後日は毎週"])
@pytest.mark.parametrize(
    "piece",
    ["1", "eine ", "zwei und ", "quatre-vingt ", "treinta y ", "三十", "halb ", "un quart ", "1時間", "  ", "9:0"],
)
def test_a_very_long_text_is_read_before_the_suite_gives_up(lead: str, piece: str) -> None:
    # A quadratic rule would still be reading when the suite's time limit ends the test.
    _check_spans(lead + (piece * 2_000)[:4_000])


def test_far_years_are_out_of_range_instead_of_an_error() -> None:
    late = datetime(9999, 12, 31, 12, tzinfo=NOW.tzinfo)
    for phrase in ("morgen", "nächsten Monat", "la semaine prochaine", "dentro de dos horas", "再来週の金曜日"):
        assert [span.text for span in find(phrase, late)] == [phrase]


@pytest.mark.parametrize(
    ("language", "phrase"),
    [(language, phrase) for language, phrase, meaning in ROWS if meaning != "-" and phrase not in ("明日", "昨日")],
)
def test_every_time_expression_shows_its_language(language: str, phrase: str) -> None:
    assert tongue(phrase) == language


@pytest.mark.parametrize(
    "text",
    [
        "Email Jean-Pierre de la Fontaine about the réunion on Monday",
        "Dinner La Casa de los Abuelos Friday 8 pm",
        "Book a table for two at Le Pain Quotidien tomorrow at noon",
        "Remind me to call Herr von der Heide at nine",
        "9 am",
        "at 9",
        "in 20 minutes",
        "20 minutes",
        "um, remind me at 5",
        "La La Land at 8 pm",
        "drive to Los Angeles next week",
        "play Despacito and then El Condor Pasa",
        "What is Des working on?",
        "Send Mario 25 euros",
        "Version 3.12 of section 5.1.",
        "buy the die-cast car for Max",
        "Play さくらんぼ tomorrow",
        "Pay 3000円 to Bob tomorrow",
        "yes",
        "no",
        "y",
        "",
        "25",
        "+49 151 2345678",
    ],
)
def test_foreign_names_in_english_change_nothing(text: str) -> None:
    assert tongue(text) == "en"


@pytest.mark.parametrize(
    "text",
    [
        "提醒我明天下午三点开会",
        "帮我 book 一个 table，明天晚上七点",
        "我想听宇多田ヒカル的歌",
        "在优の良品买点零食",
        "正午前提醒我吃药",
        "十分钟后叫我",
        "一段時間後再提醒我",
        "下週一上午十點",
        "李曜的生日是几号",
        "如今月薪多少",
    ],
)
def test_chinese_is_not_taken_for_japanese(text: str) -> None:
    assert tongue(text) == "zh"
    assert detect(text) in ("zh", "en")


def _english_sentences() -> list[str]:
    texts = [re.sub(r"\n(?!\n)", " ", text) for text in topics.topics.values()]
    pages = [*ROOT.glob("docs/*.md"), *ROOT.glob("*.md")]
    texts += [re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL) for page in pages]
    sentences = [one.strip() for text in texts for one in re.split(r"(?<=[.!?:])\s+|\n", text)]
    code = re.compile(r"[_(){}<>=|\\\[\]]")
    return [one for one in sentences if len(re.findall(r"[A-Za-z]{2,}", one)) >= 3 and not code.search(one)]


def test_thousands_of_english_sentences_are_english() -> None:
    sentences = _english_sentences()
    assert len(sentences) > 2_500
    assert [one for one in sentences if tongue(one) not in ("en", "zh")] == []


@pytest.mark.parametrize("name", ["values_en.yaml", "values_zh.yaml"])
def test_english_and_chinese_expressions_are_never_read_by_other_rules(name: str) -> None:
    assert [phrase for phrase, _ in table(name) if tongue(phrase) not in ("en", "zh")] == []


@cache
def _rows() -> list[dict[str, object]]:
    paths = sorted(ROOT.glob("skills/*/examples*.jsonl"))
    return [row for path in paths for row in read_rows(path)]


def _examples(language: str) -> list[str]:
    return [str(row["text"]) for row in _rows() if "text" in row and row.get("lang") == language]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_people_say_to_skills_in_english_and_chinese_runs_no_other_rules(language: str) -> None:
    texts = _examples(language)
    assert len(texts) > 100
    assert [text for text in texts if tongue(text) not in ("en", "zh")] == []


_ENGLISH = (
    "remind me to call the dentist tomorrow at nine and send an email with my report before lunch please what is "
    "on calendar for next week could you move it"
).split()
_NAMES = "José Müller François Núñez Marie-Claire Lucía Jürgen El Des La Montag".split()


@given(
    st.lists(st.sampled_from(sorted(set(_ENGLISH))), min_size=6, max_size=20, unique=True),  # six times "me" is Spanish
    st.sampled_from(_NAMES),
    st.integers(0, 6),
)
@settings(max_examples=150)
def test_any_english_words_with_a_foreign_name_are_english(words: list[str], name: str, place: int) -> None:
    text = " ".join([*words[:place], name, *words[place:]])
    assert tongue(text) == "en"


def test_other_languages_are_loaded_only_when_they_are_spoken() -> None:
    code = (
        "import sys, datetime\n"
        "from assistant.values import find\n"
        "now = datetime.datetime(2026, 11, 23, 10, tzinfo=datetime.UTC)\n"
        "find('remind me tomorrow at nine to call José', now), find('明天下午三点提醒我', now)\n"
        "names = ('german', 'french', 'spanish', 'japanese', 'lexicon')\n"
        "print([name for name in names if f'assistant.values.{name}' in sys.modules])\n"
        "find('morgen um neun', now)\n"
        "print([name for name in names if f'assistant.values.{name}' in sys.modules])\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert shown.stdout.splitlines() == ["[]", "['german', 'lexicon']"]


def _money(text: str) -> str:
    values = [span.value for span in find_money(text)]
    assert all(isinstance(value, Money) for value in values)
    return "; ".join(f"{format_amount(value.amount)} {value.currency}" for value in values) or "-"  # type: ignore[union-attr]


@pytest.mark.parametrize(("phrase", "amount"), table("money_tongues.yaml"))
def test_amounts_of_money_mean_what_they_say(phrase: str, amount: str) -> None:
    assert _money(phrase) == amount


@given(st.integers(1, 9999), st.integers(10, 99))
@settings(max_examples=60, deadline=None)
def test_any_amount_in_digits_is_read_back(whole: int, part: int) -> None:
    grouped = f"{whole:,}"
    for text in (
        f"Überweise {grouped.replace(',', '.')},{part} Euro an Bob",
        f"Überweise {whole} Euro {part} an Bob",
        f"Vire {grouped.replace(',', ' ')},{part} euros à Bob",
        f"Vire {whole} euros {part} à Bob",
        f"Transfiere {grouped.replace(',', '.')},{part} euros a Bob",
        f"Transfiere {whole} euros con {part} a Bob",
        f"ボブに{grouped}.{part}ユーロ送って",
    ):
        (span,) = find_money(text)
        assert span.value == Money(Decimal(f"{whole}.{part}"), "EUR"), text
        assert text[span.start : span.end] == span.text


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("zwölf Euro fünfzig", "12.50 EUR"),
        ("nur fünfzig Euro", "50.00 EUR"),
        ("cincuenta", "50.00 "),
        ("douze", "12.00 "),
        ("3000円だけ", "3000.00 JPY"),
        ("zwei Katzen", "-"),
        ("25 euros pour Bob", "-"),
    ],
)
def test_a_whole_phrase_is_an_amount(text: str, amount: str) -> None:
    money = parse_money(text)
    assert (f"{format_amount(money.amount)} {money.currency}" if money else "-") == amount


@given(
    st.lists(st.sampled_from([phrase for phrase, _ in table("money_tongues.yaml")] + _GLUE), max_size=8).map("".join)
)
@settings(max_examples=120, deadline=None)
def test_no_mixture_of_amounts_makes_it_stumble(text: str) -> None:
    end = 0
    for span in find_money(text):
        assert end <= span.start < span.end <= len(text)
        assert span.text == text[span.start : span.end]
        end = span.end
    parse_money(text)


@pytest.mark.parametrize("piece", ["eine ", "quatre-vingt ", "treinta y ", "1.000", "zwölf euro ", "1 000 ", "千", "-"])
def test_a_very_long_row_of_amounts_is_read_before_the_suite_gives_up(piece: str) -> None:
    for lead in ("Überweise bitte ", "Combien de ", "¿Cuánto es ", "いくら"):
        find_money(lead + (piece * 2_000)[:4_000])
