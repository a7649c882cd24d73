"""What a sentence states of the user: tables of sentences, and that no text makes it slow."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from assistant.memory.stating import statements
from assistant.resources import bundled

STATED = {
    "I moved to Hamburg": "home||Hamburg",
    "We moved to Leipzig last month.": "home||Leipzig",
    "by the way, I live in Berlin now": "home||Berlin",
    "I'm allergic to peanuts": "allergy||peanuts",
    "Note that my sister's birthday is on March 5": "birthday|sister|March 5",
    "Please call me Mei": "called||Mei",
    "I prefer aisle seats, please": "prefers||aisle seats",
    "I don't eat pork": "avoids||pork",
    "I don't like coffee any longer": "dislikes||coffee",
    "my shoe size is 38": "size|/shoe|38",
    "My passport expires in May 2027": "document|/passport|expires in May 2027",
    "My car is a red Golf": "device|/car|red Golf",
    "Anna is vegetarian": "diet|Anna|vegetarian",
    "My favourite colour is green": "favourite|/colour|green",
    "The spare key is under the mat": "kept|/spare key|under the mat",
    "I bank with Sparkasse": "account|/bank|Sparkasse",
    "I take 5 mg ramipril every morning": "medicine||5 mg ramipril",
    "I'm a nurse at the hospital": "job||nurse",
    "Every Wednesday I go swimming": "routine|/wednesday|swimming",
    "I speak Spanish": "speaks||Spanish",
    "I left Siemens": "employer||Siemens|ends",
    "I've quit my job": "employer|||ends",
    "我搬到汉堡了": "home||汉堡",
    "对了，我住在柏林": "home||柏林",
    "我对花生过敏": "allergy||花生",
    "我姐姐的生日是3月5号": "birthday|姐姐|3月5号",
    "姐姐的生日是3月5号": "birthday|姐姐|3月5号",
    "以后叫我小美就行": "called||小美",
    "我喜欢靠过道的座位": "likes||靠过道的座位",
    "我不吃猪肉": "avoids||猪肉",
    "我的鞋码是38": "size|/鞋|38",
    "我在西门子上班": "employer||西门子",
    "我会说西班牙语": "speaks||西班牙语",
    "我最喜欢的颜色是绿色": "favourite|/颜色|绿色",
    "我的护照到2027年5月到期": "document|/护照|到2027年5月到期",
    "我是1990年5月3日出生的": "birthday||1990年5月3日",
    "备用钥匙放在门垫下面": "kept|/备用钥匙|门垫下面",
    "我辞职了": "employer|||ends",
}
NOTHING = (
    # questions
    "Do I live in Berlin?",
    "I live in Berlin, don't I?",
    "Where do I live",
    "am I allergic to nuts?",
    "我住在柏林吗？",
    "我住哪儿",
    "我是不是对花生过敏",
    "我喜欢什么颜色",
    # hypotheticals
    "If I lived in Paris, I'd be happy",
    "What if I moved to Rome",
    "Suppose I work at Apple",
    "I wish I lived by the sea",
    "Maybe I like coffee",
    "I might move to Rome",
    "如果我住在巴黎就好了",
    "我可能搬到上海",
    "假如我对花生过敏",
    # reports and quotations
    "My boss says I live in a dream",
    "My sister said she moved to Paris",
    "Anna told me I like cake",
    'Anna wrote: "I am allergic to nuts and bees"',
    "“I live in Paris and I like it there”, he wrote",
    "> I live in Paris",
    "听说我要搬到北京",
    "小王说我住在北京",
    "“我住在巴黎，我很喜欢那里的生活”是什么意思",
    # pasted mails
    "From: Bob <bob@example.com>\nSubject: News\n\nI moved to Rome. I like it here.",
    "Subject: News\nI work at Apple now",
    "发件人：王伟\n主题：搬家\n\n我搬到上海了。我喜欢这里。",
    "> I moved to Rome\n> I like it here\nWhat does he mean?",
    # requests, and words for others
    "Please write that I moved to Rome",
    "Tell Bob I moved to Rome",
    "tell Bob, I moved to Rome",
    "write to Anna: I live in Rome now",
    "send Anna a mail: I'm allergic to fish. I live in Rome.",
    "Translate: I live in Hamburg",
    "can you translate this into French: I live in Hamburg. I like cake.",
    "Summarise this:\nI moved to Rome. I work at Apple.",
    "I'd like a coffee",
    "I would like to book a table",
    "remind me that I like cake",
    "I want my money back",
    "I need to buy milk",
    "帮我翻译：我住在汉堡",
    "告诉安娜我搬到汉堡了",
    "告诉安娜，我搬到汉堡了",
    "给安娜发邮件说我对鱼过敏",
    "给安娜发邮件：我对鱼过敏。我住在汉堡。",
    "提醒我买牛奶",
    "帮我总结一下：我搬到上海了。我喜欢这里。",
    # irony and jokes
    "I love waiting in line, haha",
    "Yeah right, I love taxes",
    "Great, I just love queueing.",
    "I live on the moon, just kidding",
    "我喜欢加班才怪",
    "我住在月球上哈哈",
    # of the moment, and of nothing
    "I just love it when the train is late",
    "I like that",
    "I love you",
    "I'm tired",
    "I'm 34 minutes late",
    "I never said that",
    "I like the weather today",
    "我今天在家",
    "我喜欢你",
    "我想去看电影",
    "我要走了",
    "",
    "   ",
    "？？？",
)


def language(text: str) -> str:
    return "zh" if any("一" <= sign <= "鿿" for sign in text) else "en"


@pytest.mark.parametrize(("text", "wanted"), STATED.items())
def test_what_the_user_says_of_themselves_and_of_theirs_is_read(text: str, wanted: str) -> None:
    [one] = statements(text, language(text))
    about = one.subject + (f"/{one.topic}" if one.topic else "")
    assert "|".join([one.predicate, about, one.value, *(["ends"] if one.ends else [])]) == wanted


@pytest.mark.parametrize("text", NOTHING)
def test_what_asks_supposes_reports_jokes_or_is_for_others_states_nothing(text: str) -> None:
    assert statements(text, language(text)) == []


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("I work at Siemens and I live in Munich", ["Siemens", "Munich"]),
        ("I live in Berlin. Do I like coffee? I don't eat pork.", ["Berlin", "pork"]),
        ("我住在柏林，我对花生过敏。", ["柏林", "花生"]),
        ("I live in Rome. I live in Rome!", ["Rome"]),
        ("I live in Rome. Please translate: I live in Oslo.", ["Rome"]),
        ("I like tea. Summarize this mail: I work at Apple. I like beer.", ["tea"]),
    ],
)
def test_each_clause_is_read_once_and_what_is_handed_over_is_left_out(text: str, values: list[str]) -> None:
    assert [one.value for one in statements(text, language(text))] == values


def test_a_language_without_rules_is_read_as_english_and_a_long_text_not_at_all() -> None:
    assert [one.value for one in statements("I live in Rome", "de")] == ["Rome"]
    assert statements("I live in Rome. " + "x" * 2_000, "en") == []


PIECES = (
    "really ",
    "i ",
    "I ",
    "i am ",
    "my ",
    "my best friend ",
    "a ",
    "A ",
    "Anna ",
    "and i ",
    "live ",
    "I keep my ",
    "i have a ",
    "in ",
    "on ",
    "moved from ",
    "to ",
    "is ",
    "'s ",
    "5",
    "because ",
    "very much ",
    "I like ",
    "every monday and ",
    "also ",
    "so and but ",
    ", ",
    "- ",
    "(",
    ": ",
    '"',
    "“",
    ">",
    "\n",
    ".",
    "?",
    "translate ",
    "write ",
    "please ",
    "please, ",
    "A-",
    "我",
    "我们",
    "真的",
    "最",
    "是",
    "一二三",
    "1",
    "1二",
    "的",
    "对",
    "从",
    "搬到",
    "过敏",
    "生",
    "在",
    "做",
    "每周一",
    "妈妈",
    "usually ",
    "try to ",
    "very ",
    "old ",
    "severe ",
    "spare ",
    "mostly ",
    "fluent ",
    "bad ",
    "mild ",
    "now ",
    "too ",
    "again ",
    "也都就",
    "，",
    "因为",
    "了啊呀",
    "请",
    "护照",
    "到期",
    "你",
    "平时一般",
    "叫",
    "发",
    "给",
    "“",
)
SLOW_MS = 50
TEXTS = st.one_of(
    st.text(max_size=2_000),
    st.builds(lambda pieces: "".join(pieces)[:2_000], st.lists(st.sampled_from(PIECES), max_size=400)),
    st.builds(
        lambda start, piece, times, end: (start + piece * times)[: 2_000 - len(end)] + end,
        st.sampled_from(("", "I ", "我", "my sister ", "我对", "我从", "I have ")),
        st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join),
        st.sampled_from((20, 60, 110, 230, 470, 2_000)),
        st.sampled_from(("", "!", "?", "\x00", "。")),
    ),
)


RULES = YAML(typ="safe").load((bundled("profile") / "statements.yaml").read_text(encoding="utf-8"))
REPEATED = re.compile(r"\(\?:((?:[^()\[\]]|\(\?:[^()]*\))*)\)(?: \))?\*")


def alternatives() -> list[tuple[str, ...]]:
    """The words of each group that may be repeated."""
    texts = [text for rules in RULES.values() for text in rules["parts"].values()]
    texts += [entry["re"] for rules in RULES.values() for entry in rules["patterns"]]
    texts += [rules["lead"] for rules in RULES.values()]
    return [tuple(found.group(1).split("|")) for text in texts for found in REPEATED.finditer(text)]


@pytest.mark.parametrize("words", alternatives(), ids=lambda words: words[0])
def test_what_may_be_repeated_names_each_word_once(words: tuple[str, ...]) -> None:
    """The same word twice in a group under a star is tried in every combination: 2^n ways for n words."""
    assert len(words) == len(set(words))


def quickest(text: str, tongue: str) -> float:
    """Milliseconds of this process, the best of a few: a busy machine is slow, not wrong."""
    best = float("inf")
    for _ in range(5):
        begun = time.thread_time()
        statements(text, tongue)
        best = min(best, (time.thread_time() - begun) * 1000)
        if best < SLOW_MS:
            break
    return best


@settings(max_examples=150)
@given(TEXTS, st.sampled_from(("en", "zh")))
def test_no_text_makes_it_fail_or_slow(text: str, tongue: str) -> None:
    statements("I live in Rome", "en"), statements("我住在罗马", "zh")  # the rules are compiled at the first use
    assert quickest(text, tongue) < SLOW_MS


@pytest.mark.parametrize("piece", PIECES)
def test_a_piece_that_is_said_again_and_again_costs_little(piece: str) -> None:
    statements("I live in Rome", "en"), statements("我住在罗马", "zh")
    for start in ("", "I ", "我"):
        for length in (238, 470, 2_000):
            text = start + piece * (length // len(piece))
            assert max(quickest(text, "en"), quickest(text, "zh")) < SLOW_MS
