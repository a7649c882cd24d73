"""What a question asks for, and whether a line bears an answer. Pure rules."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.context import load_skill

load_skill("documents")


def module(name: str) -> ModuleType:
    return importlib.import_module(f"assistant_skills.documents.{name}")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How much is the monthly rent?", ["monthly", "rent"]),
        ("According to my files, when does the insurance end?", ["insurance", "end"]),
        ("我的保险什么时候到期？", ["保险", "到期"]),
        ("装修合同里违约金是多少", ["装修", "合同", "违约金"]),
        ("lease 里的押金是多少", ["lease", "押金"]),
        ("我的京都旅行", ["京都旅行"]),
        ("盐", ["盐"]),
        ("What did I spend in May?", ["may", "spend"]),
        ("May I keep it?", ["keep"]),
        ("2025年3月的电费", ["2025", "3月", "电费"]),
    ],
)
def test_a_question_is_its_rare_words(question: str, expected: list[str]) -> None:
    assert [concept.word for concept in module("terms").concepts(question)] == expected


@pytest.mark.parametrize(
    ("question", "line"),
    [
        ("deposit", "押金为两个月房租。"),
        ("押金", "The deposit is returned in May."),
        ("invoices", "Invoice 4711"),
        ("notice period", "提前通知"),
        ("3月", "Paid on 2026-03-14"),
        ("in March", "3月电费68元"),
        ("terminating", "may terminate"),
        ("违约金", "逾期须付滞纳金"),
    ],
)
def test_a_word_is_found_in_other_words_of_either_language(question: str, line: str) -> None:
    concepts = module("terms").concepts(question)
    assert concepts
    assert max(concept.share(module("terms").prepared(line)) for concept in concepts) >= 0.8


@pytest.mark.parametrize(("word", "line"), [("1月", "11月电费"), ("租金", "金额"), ("rent", "parent")])
def test_a_part_of_another_word_is_no_match(word: str, line: str) -> None:
    assert all(concept.share(module("terms").prepared(line)) < 0.8 for concept in module("terms").concepts(word))


@given(st.text(max_size=60))
def test_any_text_has_concepts_whose_share_lies_between_none_and_all(text: str) -> None:
    terms = module("terms")
    for concept in terms.concepts(text):
        assert 0 <= concept.share(terms.prepared(text)) <= 1


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("The monthly rent is 1,180 euros.", "1180 euros"),
        ("Project lead: Farah Haddad", "The lead is Farah Haddad"),
        ("工程自2026年3月16日开工", "2026年3月16日"),
        ("The help desk is reached at +49 30 5550 1180.", "+49 30 5550 1180"),
    ],
)
def test_an_answer_that_stands_in_the_line_is_borne(line: str, answer: str) -> None:
    assert module("support").supports(line, answer)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("The monthly rent is 1,180 euros.", "1,280 euros"),
        ("Project lead: Farah Haddad", "The lead is Farah Miller"),
        ("工程自2026年3月16日开工", "2026年6月30日"),
        ("Dogs need the written consent of the landlord.", "Yes"),
        ("Dogs need the written consent of the landlord.", "No."),
        ("Dogs need the written consent of the landlord.", "Cats are never allowed here"),
        ("anything", ""),
    ],
)
def test_an_answer_with_another_number_name_or_words_is_not(line: str, answer: str) -> None:
    assert not module("support").supports(line, answer)


@pytest.mark.parametrize(
    ("question", "yes", "no"),
    [
        ("What is the landlord's phone number?", "Call 0176 555 0199", "Floor 2, 14 Mill Lane"),
        ("房东的电话是多少", "电话：0571-5550123", "房东叫田中"),
        ("How much is the rent?", "950 euros", "The rent is paid in advance"),
        ("工期多长", "共计一百天", "另行商定"),
        ("Who signed?", "Anna", "nobody"),
    ],
)
def test_a_line_has_the_kind_of_answer_that_is_wanted(question: str, yes: str, no: str) -> None:
    kinds = module("kinds")
    assert kinds.has(kinds.wanted(question), yes)
    assert kinds.has(kinds.wanted(question), no) == (kinds.wanted(question) == "")
