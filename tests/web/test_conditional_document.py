"""Which operations know conditional headers. It follows from the document: none can forget."""

from tests.conditions import OPERATIONS, READS, WRITES, Operation

VERBS = "/v1/incidents/{incident_id}/"
# They answer with the whole of which they add a part.
ADD_PARTS = {"add_level", "add_routing_rule"}
ENDS = {"end_maintenance_window"}
REPLACED = {each.path for each in OPERATIONS.values() if each.method == "put"}


def is_of_one_thing(operation: Operation) -> bool:
    ends_in_id = operation.path.endswith("}") or operation.path in REPLACED
    return operation.method == "get" and ends_in_id


def changes_one_thing(operation: Operation) -> bool:
    is_verb = operation.path.startswith(VERBS) and operation.method == "post"
    return (
        operation.method in ("patch", "put", "delete")
        or is_verb
        or operation.name in ADD_PARTS | ENDS
    )


def test_what_shows_one_thing_knows_if_none_match():
    expected = {each.name for each in OPERATIONS.values() if is_of_one_thing(each)}

    assert set(READS) == expected


def test_what_changes_one_thing_knows_if_match():
    expected = {each.name for each in OPERATIONS.values() if changes_one_thing(each)}

    assert set(WRITES) == expected


def test_the_headers_may_be_left_out_and_are_never_null():
    headers = [header for each in OPERATIONS.values() for header in each.headers()]

    assert {each["schema"]["type"] for each in headers} == {"string"}
    assert not any(each["required"] or "default" in each["schema"] for each in headers)
    assert len({each["description"] for each in headers}) == 1


def test_what_is_asked_on_a_condition_costs_clients_no_type():
    """An answer without a body would, in Python."""
    answers = {name: OPERATIONS[name].content["responses"] for name in READS}

    assert not any("304" in each for each in answers.values())


def test_the_document_says_nothing_of_a_tag_where_there_is_none():
    tagged = {
        each.name
        for each in OPERATIONS.values()
        if any("ETag" in answer.get("headers", {}) for answer in each.content["responses"].values())
    }

    assert not {name for name in tagged if name.startswith(("list_", "test_"))} - {
        "list_routing_rules"
    }
    assert "open_calendar_feed" not in tagged
