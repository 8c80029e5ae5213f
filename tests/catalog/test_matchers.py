import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.catalog.matchers import (
    LONGEST,
    Matcher,
    MatcherWrong,
    Operator,
    first_that_fails,
    parse,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)
MATCHERS = st.builds(
    Matcher, NAMES, st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL]), TEXT
) | st.builds(
    Matcher,
    NAMES,
    st.sampled_from([Operator.MATCHES, Operator.NOT_MATCHES]),
    st.sampled_from(["db|storage", "a.*", r"\d+", "", 'say "x"', "a\\\\b", "[a,b]{2}"]),
)


@pytest.mark.parametrize(
    ("text", "name", "operator", "value"),
    [
        ('severity="critical"', "severity", "=", "critical"),
        ("severity=critical", "severity", "=", "critical"),
        (' severity = "critical" ', "severity", "=", "critical"),
        ("team!=db", "team", "!=", "db"),
        ('severity=~"critical|page"', "severity", "=~", "critical|page"),
        ("severity=~critical|page", "severity", "=~", "critical|page"),
        ("team!~test-.*", "team", "!~", "test-.*"),
        ('{team="db"}', "team", "=", "db"),
        ('{ team="db" , }', "team", "=", "db"),
        ('team="db",', "team", "=", "db"),
        ("team=", "team", "=", ""),
        ('team=""', "team", "=", ""),
        ('path="a,b"', "path", "=", "a,b"),
        ("zone=~[a-z]{2}", "zone", "=~", "[a-z]{2}"),
        ("{zone=~[a-z]{2}}", "zone", "=~", "[a-z]{2}"),
        ("message=two words", "message", "=", "two words"),
        (r'said="a \"quote\""', "said", "=", 'a "quote"'),
        (r'path="C:\\dir"', "path", "=", "C:\\dir"),
        (r'lines="a\nb"', "lines", "=", "a\nb"),
        (r'number=~"\d+"', "number", "=~", r"\d+"),
        ('"my label"="x"', "my label", "=", "x"),
        ("größe=1", "größe", "=", "1"),
        ("a=b=c", "a", "=", "b=c"),
        ("team==db", "team", "=", "=db"),
        ('job:rate="x"', "job:rate", "=", "x"),
    ],
)
def test_a_matcher_is_read(text, name, operator, value):
    assert parse(text) == (Matcher(name, Operator(operator), value),)


def test_several_matchers_are_read_in_order():
    read = parse('{severity=~"critical|page", team!="db",env=prod}')

    assert [str(matcher) for matcher in read] == [
        'severity=~"critical|page"',
        'team!="db"',
        'env="prod"',
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no matcher"),
        ("  ", "no matcher"),
        ("{}", "no matcher"),
        (",", "not a matcher"),
        ('team="db",,env="x"', "not a matcher"),
        ("team", "not a matcher"),
        ("=db", "not a matcher"),
        ('team="db', "closing quote"),
        ('{team="db"', "closing brace"),
        ('team="db" x', "after the closing quote"),
        ('team=d"b"', "middle"),
        ("team~db", "not a matcher"),
        ("my label=x", "not a matcher"),
        ("team=~(", "regular expression"),
        ("team=~*", "regular expression"),
        ('team=~"(?=x)"', "regular expression"),
        ("team=~(a{1,1000}){1,1000}", "regular expression"),
        ("team=" + "x" * LONGEST, "longer"),
    ],
)
def test_what_is_not_a_matcher_is_refused_with_the_reason(text, says):
    with pytest.raises(MatcherWrong, match=says):
        parse(text)


@pytest.mark.parametrize(
    ("text", "labels", "holds"),
    [
        ("team=db", {"team": "db"}, True),
        ("team=db", {"team": "dba"}, False),
        ("team=db", {}, False),
        ("team!=db", {}, True),
        ("team=", {}, True),
        ("team!=", {}, False),
        ("team!=", {"team": "x"}, True),
        ("team=~d", {"team": "db"}, False),
        ("team=~db|net", {"team": "net"}, True),
        ("team=~db|net", {"team": "network"}, False),
        ("team=~.*", {}, True),
        ("team=~.+", {}, False),
        ("team!~db|net", {"team": "net"}, False),
        ("team!~db|net", {"team": "web"}, True),
        ("team=~.*", {"team": "two\nlines"}, False),
        ("team=~(?s).*", {"team": "two\nlines"}, True),
        ("team=~(?i)DB", {"team": "db"}, True),
        ("team=~ü+", {"team": "üü"}, True),
    ],
)
def test_a_matcher_holds_for_a_whole_value(text, labels, holds):
    (matcher,) = parse(text)

    assert matcher.holds(labels) is holds


@given(st.lists(MATCHERS, min_size=1, max_size=4))
def test_what_is_written_is_read_back(matchers):
    text = ", ".join(map(str, matchers))

    assert parse(text) == tuple(matchers)
    assert parse(f"{{{text}}}") == tuple(matchers)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        matchers = parse(text)
    except MatcherWrong:
        return
    assert matchers


@given(NAMES, TEXT, st.dictionaries(NAMES, TEXT))
def test_equal_is_the_opposite_of_not_equal(name, value, labels):
    equal, unequal = Matcher(name, Operator.EQUAL, value), Matcher(name, Operator.NOT_EQUAL, value)

    assert equal.holds(labels) is not unequal.holds(labels)
    assert equal.holds({**labels, name: value})


def test_a_regular_expression_that_would_go_back_and_forth_takes_no_time():
    (matcher,) = parse("value=~(x+x+)+y")

    assert not matcher.holds({"value": "x" * 100_000})


def test_the_first_matcher_that_fails_is_named():
    matchers = parse("team=db,env=prod,zone=a")

    assert str(first_that_fails(matchers, {"team": "db", "zone": "b"})) == 'env="prod"'
    assert first_that_fails(matchers, {"team": "db", "env": "prod", "zone": "a"}) is None
