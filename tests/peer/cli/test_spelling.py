"""What the quick way writes is what `json` writes."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from peer.cli.console import Item
from peer.cli.spelling import spell

FLAT = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
VALUES = st.recursive(
    FLAT, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@given(st.dictionaries(st.text(), VALUES, max_size=6))
def test_an_item_is_spelled_as_json_spells_it(item: Item) -> None:
    assert spell(item) == json.dumps(item, ensure_ascii=False)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_stays_what_it_is(number: float) -> None:
    assert json.loads(spell({"rate": number})) == {"rate": number}


def test_a_name_that_is_no_text_is_left_to_json() -> None:
    item: Item = {"path": "part\udcff", "size": 1}
    assert spell(item) == json.dumps(item, ensure_ascii=False)
