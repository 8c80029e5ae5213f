from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from incident_service.catalog.matchers import parse
from incident_service.catalog.routing import Rule, route, try_rules

DATABASE, NETWORK, OTHERWISE = uuid4(), uuid4(), uuid4()
RULES = [
    Rule(uuid4(), parse('team="db",severity=~"critical|page"'), DATABASE),
    Rule(uuid4(), parse('team="db"'), NETWORK),
]
LABELS = st.dictionaries(
    st.sampled_from(["team", "severity"]), st.sampled_from(["db", "critical", "page", "x"])
)


def test_the_first_rule_that_is_met_wins():
    assert route(RULES, {"team": "db", "severity": "page"}, OTHERWISE) == DATABASE
    assert route(RULES, {"team": "db", "severity": "info"}, OTHERWISE) == NETWORK


def test_what_meets_no_rule_goes_to_the_integrations_own_service():
    assert route(RULES, {"team": "web"}, OTHERWISE) == OTHERWISE
    assert route([], {"team": "db"}, OTHERWISE) == OTHERWISE


def test_each_rule_says_what_it_failed_at():
    tried = try_rules(RULES, {"team": "db", "severity": "info"})

    assert [str(item.failed) for item in tried] == ['severity=~"critical|page"', "None"]


@given(LABELS)
def test_every_alert_goes_somewhere_and_what_is_tried_says_where(labels):
    tried = try_rules(RULES, labels)
    met = [item.rule.service_id for item in tried if item.failed is None]

    assert route(RULES, labels, OTHERWISE) == (met[0] if met else OTHERWISE)


@given(LABELS, st.integers(0, 2))
def test_a_rule_that_is_never_met_changes_nothing(labels, place):
    never = Rule(uuid4(), parse('team="never"'), uuid4())

    with_it = [*RULES[:place], never, *RULES[place:]]

    assert route(with_it, labels, OTHERWISE) == route(RULES, labels, OTHERWISE)
