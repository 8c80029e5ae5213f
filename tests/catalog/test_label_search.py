"""Which regular expressions are choices of texts, and what the texts are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.catalog.label_search import choices
from incident_service.catalog.matchers import MatcherWrong, compiled

PATTERNS = st.text("ab1-:/ ü\n\\|.*+?()[]{}^$", max_size=8)
TEXTS = st.text("ab1-:/ ü\n\\|.*+?()[]{}^$", max_size=4)


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("critical|high", ["critical", "high"]),
        (r"host-1\.example:9100", ["host-1.example:9100"]),
        (r"a\|b|c", ["a|b", "c"]),
        (r"\\|b", ["\\", "b"]),
        ("|db", ["", "db"]),
        ("", [""]),
    ],
)
def test_a_choice_of_plain_texts_is_one(pattern, texts):
    assert choices(pattern) == texts


@pytest.mark.parametrize("pattern", ["a.*", "(a|b)", "[ab]", "(?i)a", r"\d", "a?", "^a", "a$"])
def test_a_pattern_that_means_more_is_not_a_choice(pattern):
    assert choices(pattern) is None


@given(PATTERNS, TEXTS)
def test_a_choice_means_what_the_regular_expression_means(pattern, text):
    texts = choices(pattern)
    try:
        expression = compiled(pattern)
    except MatcherWrong:
        return

    if texts is not None:
        assert (text in texts) == (expression.fullmatch(text) is not None)
        assert all(expression.fullmatch(each) for each in texts)
