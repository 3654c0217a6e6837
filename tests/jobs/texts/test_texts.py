"""The built-in tools do what they promise, on good texts and on nonsense."""

from __future__ import annotations

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.texts.cleaning import clean
from jobs.texts.embedding import DIMENSIONS, embed, likeness
from jobs.texts.finding import find_entities
from jobs.texts.summarizing import LONGEST, summarize
from jobs.texts.words import sentences, words

STORY = """The harbour lay in fog. Captain Mira Solberg waited on the quay for the pilot. The pilot was late, as ever.
At nine the harbour bell rang twice. Gulls cried. Mira Solberg counted the ships in the harbour: there was one too many.
“Who let her in?” she asked the harbour master. Nobody knew. A dog slept. The ship carried no name and no pilot.
Rain began. In 1923 the harbour had seen such a ship, Mr. Dahl said. It had left without paying $4,500."""


def test_cleaning_mends_what_was_decoded_wrongly_and_keeps_what_is_right() -> None:
    assert clean("schÃ¶n â€œquotedâ€\x9d &amp; more") == "schön “quoted” & more"
    assert clean("a\u200bb\u00adc\ufeff \x07d") == "abc d"
    assert clean("می\u200cخواهم 👩\u200d👧") == "می\u200cخواهم 👩\u200d👧"
    assert clean("e\u0301té") == "été"
    assert clean("one\r\n\r\n\r\n\r\n  two \t words  \r\n*****\r\n\r\nthree") == "one\n\ntwo words\n\nthree"
    assert clean("第一章\n\n雨が降る。") == "第一章\n\n雨が降る。"


@given(st.text())
def test_cleaning_anything_leaves_no_control_signs(text: str) -> None:
    cleaned = clean(text)
    assert cleaned == cleaned.strip()
    assert not [sign for sign in cleaned if unicodedata.category(sign) == "Cc" and sign != "\n"]


def test_cleaning_what_is_clean_changes_nothing() -> None:
    assert clean(STORY) == STORY


def test_sentences_and_words_of_several_scripts() -> None:
    assert sentences("Mr. Dahl came. He left! Why?") == ["Mr. Dahl came.", "He left!", "Why?"]
    assert sentences("雨が降る。風も吹く！") == ["雨が降る。", "風も吹く！"]
    assert list(words("Don't 12 stop_me")) == ["don't", "stop", "me"]
    assert list(words("雨が降")) == ["雨が", "が降"]


def test_a_summary_is_made_of_the_text_s_own_sentences_in_their_order() -> None:
    summary = summarize(STORY)
    own = sentences(STORY)
    kept = sentences(summary)
    assert len(kept) == 3
    assert [own.index(each) for each in kept] == sorted(own.index(each) for each in kept)
    assert "harbour" in summary and "Gulls" not in summary and "dog" not in summary
    assert summarize("One. Two.") == "One. Two."
    assert summarize("") == ""


@given(st.text(max_size=5000))
def test_a_summary_of_anything_is_short(text: str) -> None:
    assert len(summarize(text)) <= LONGEST


def test_names_dates_and_money_are_found_with_their_counts() -> None:
    found = {(each["text"], each["type"]): each["count"] for each in find_entities(STORY)}
    assert found["Mira Solberg", "name"] >= 1 or found["Captain Mira Solberg", "name"] >= 1
    assert found["1923", "date"] == 1
    assert found["$4,500", "money"] == 1
    assert not {name for name, _ in found} & {"The", "Rain", "Gulls", "At", "A", "It", "Nobody"}
    assert {each["text"] for each in find_entities("он видел Анну и Москву, а Анну снова")} == {
        "Анну",
        "Москву",
    }
    assert find_entities("雨が降る。風も吹く。") == []
    more = find_entities(
        "Write to ann@example.com or see https://example.com/a?b=1, says Ludwig van Beethoven of Bonn."
    )
    assert {(each["text"], each["type"]) for each in more} >= {
        ("ann@example.com", "email"), ("https://example.com/a?b=1", "url"), ("Ludwig van Beethoven of Bonn", "name"),
    }  # fmt: skip


@given(st.text(max_size=3000))
def test_entities_of_anything_are_a_list(text: str) -> None:
    for each in find_entities(text):
        assert each["text"].strip() and each["count"] > 0


def test_texts_of_one_subject_are_nearer_than_others() -> None:
    harbour, ship, bread = embed(
        [
            "The ship left the harbour in fog.",
            "In fog a ship came to the harbour.",
            "Knead the dough, then bake the bread.",
        ]
    )
    assert len(harbour) == DIMENSIONS
    assert likeness(harbour, harbour) == pytest.approx(1, abs=1e-4)
    assert likeness(harbour, ship) > 2 * abs(likeness(harbour, bread))
    assert likeness(harbour, [1.0]) == 0


def test_nothing_is_a_vector_of_nothing() -> None:
    assert embed([]) == []
    (empty,) = embed(["… 12 !"])
    assert not any(empty)
    assert likeness(empty, empty) == 0


def test_a_vector_is_the_same_in_every_process() -> None:
    code = "from jobs.texts.embedding import embed; print(embed(['A ship in fog'])[0])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == str(embed(["A ship in fog"])[0])
