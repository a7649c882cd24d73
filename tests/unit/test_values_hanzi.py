"""Traditional characters are read as simplified ones, each in its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.values import simplified


@pytest.mark.parametrize(
    ("traditional", "plain"),
    [
        ("週五的牙醫約診", "周五的牙医约诊"),
        ("轉兩百塊給王偉", "转两百块给王伟"),
        ("牛奶 milk ok", "牛奶 milk ok"),
        ("", ""),
    ],
)
def test_traditional_becomes_simplified(traditional: str, plain: str) -> None:
    assert simplified(traditional) == plain


@given(st.text(max_size=40))
def test_every_character_stays_in_its_place(text: str) -> None:
    plain = simplified(text)
    assert len(plain) == len(text)
    assert simplified(plain) == plain
