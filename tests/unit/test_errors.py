"""What messages show of foreign names and lines."""

import pickle

import pytest

from pipeline.errors import ReleaseError, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07\x1b[2J", "\\x1b]0;owned\\x07\\x1b[2J"),  # moves a terminal's cursor, sets its title
        ("gepj.\u202excsv", "gepj.\\u202excsv"),  # shows a name backwards
        ("a\rb", "a\\rb"),
        ("\x9b31m", "\\x9b31m"),
        ("\udcff", "\\udcff"),  # a file name that is not UTF-8: it could not be printed
    ],
    ids=ascii,
)
def test_what_a_terminal_would_obey_or_hide_is_spelled_out(text, shown):
    assert visible(text) == shown


def test_french_typography_tabs_and_lines_are_left_alone():
    text = "Expected « 1\u202f000 »\u00a0: found\tnone\n  d’après"
    assert visible(text) == text


def test_every_part_of_an_error_is_visible_and_travels():
    error = ReleaseError("found \x1b[2J", where="\x07", cause="\x1b", remedy="\u202e", check="c", facts={"n": 1})
    assert not any(char in str(error) for char in "\x1b\x07\u202e")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.check, again.facts) == (str(error), "c", {"n": 1})
