"""What a tool does with the generated client, from an empty installation to an acknowledged page.

Run with the generated package `incident_client` on the path:

    python story.py http://127.0.0.1:8080 isk_… http://127.0.0.1:9000/ada

mypy checks it: each `assert_type` fails when the document loses a type.
"""

import sys
from http import HTTPStatus
from typing import TypeVar, assert_type
from uuid import UUID, uuid4

from incident_client import AuthenticatedClient
from incident_client.api.contact_methods import create_contact_method
from incident_client.api.escalation_policies import create_escalation_policy
from incident_client.api.incidents import (
    acknowledge_incident,
    get_incident,
    list_incidents,
    list_timeline,
    reopen_incident,
)
from incident_client.api.ingest import ingest_alertmanager
from incident_client.api.integrations import create_integration
from incident_client.api.services import create_service, list_services
from incident_client.api.teams import create_team, list_teams, put_member, update_team
from incident_client.api.users import create_user
from incident_client.models import (
    AlertmanagerWebhook,
    Channel,
    ContactMethodCreate,
    EscalationPolicyCreate,
    IncidentDetail,
    IncidentPage,
    IncidentRead,
    IntegrationCreate,
    IntegrationKind,
    LevelWrite,
    MembershipPut,
    Problem,
    Role,
    ServiceCreate,
    Status,
    TargetType,
    TeamCreate,
    TeamRead,
    TeamUpdate,
    UserCreate,
    VerbRequest,
    VerbResult,
)
from incident_client.types import Response

Answer = TypeVar("Answer")


def given(answer: Answer | Problem | None) -> Answer:
    """Take what was asked for; anything else ends the story."""
    assert answer is not None, "an answer that the document does not have"
    assert not isinstance(answer, Problem), answer
    return answer


def refused(answer: Response[Answer | Problem], status: HTTPStatus) -> Problem:
    """Take the problem that was expected."""
    assert answer.status_code == status, answer
    assert isinstance(answer.parsed, Problem), answer
    return answer.parsed


def set_up(client: AuthenticatedClient, pager_url: str) -> str:
    """Make a team with a person, who is paged for one service; return its sender's key."""
    team = given(create_team.sync(client=client, body=TeamCreate(name="Storage")))
    assert_type(team, TeamRead)
    user = given(
        create_user.sync(client=client, body=UserCreate(name="Ada", email="ada@example.org"))
    )
    given(put_member.sync(team.id, user.id, client=client, body=MembershipPut(role=Role.RESPONDER)))
    given(
        create_contact_method.sync(
            user.id,
            client=client,
            body=ContactMethodCreate(kind=Channel.WEBHOOK, address=pager_url),
        )
    )
    level = LevelWrite(target_type=TargetType.USER, target_id=user.id)
    policy = given(
        create_escalation_policy.sync(
            client=client,
            body=EscalationPolicyCreate(team_id=team.id, name="Storage", levels=[level]),
        )
    )
    service = given(
        create_service.sync(
            client=client,
            body=ServiceCreate(team_id=team.id, name="disks", escalation_policy_id=policy.id),
        )
    )
    integration = given(
        create_integration.sync(
            client=client,
            body=IntegrationCreate(
                service_id=service.id, name="prod", kind=IntegrationKind.ALERTMANAGER
            ),
        )
    )
    assert_type(integration.key, str)
    return integration.key


def fire(client: AuthenticatedClient) -> None:
    """Send what Alertmanager sends."""
    labels = {"alertname": "DiskFull", "instance": "db1", "severity": "critical"}
    webhook = {
        "version": "4",
        "status": "firing",
        "groupLabels": {"alertname": "DiskFull"},
        "alerts": [
            {
                "status": "firing",
                "labels": labels,
                "annotations": {"summary": "The disk of db1 is full"},
                "startsAt": "2026-02-03T04:05:06Z",
                "endsAt": "0001-01-01T00:00:00Z",
            }
        ],
    }
    stored = given(
        ingest_alertmanager.sync(client=client, body=AlertmanagerWebhook.from_dict(webhook))
    )
    assert (stored.accepted, stored.rejected) == (1, 0), stored


def answer(client: AuthenticatedClient) -> UUID:
    """Find the incident, acknowledge it, and read what happened."""
    page = given(list_incidents.sync(client=client, status=[Status.OPEN]))
    assert_type(page, IncidentPage)
    (incident,) = page.items
    assert_type(incident, IncidentRead)
    assert_type(incident.assigned_user_id, UUID | None)
    result = given(
        acknowledge_incident.sync(
            incident.id, client=client, body=VerbRequest(reason="looking into it")
        )
    )
    assert_type(result, VerbResult)
    assert result.changed
    assert result.incident.status is Status.ACKNOWLEDGED
    again = given(acknowledge_incident.sync(incident.id, client=client))
    assert not again.changed
    shown = given(get_incident.sync(incident.id, client=client))
    assert_type(shown, IncidentDetail)
    timeline = given(list_timeline.sync(incident.id, client=client))
    assert not isinstance(timeline, str)
    kinds = [event.kind for event in timeline.items]
    assert kinds == ["opened", "paged", "acknowledged"], kinds
    return incident.id


def page_through(client: AuthenticatedClient) -> None:
    """Read a list a page at a time."""
    for number in range(3):
        given(create_team.sync(client=client, body=TeamCreate(name=f"Team {number}")))
    first = given(list_teams.sync(client=client, limit=2))
    assert first.next_cursor is not None
    second = given(list_teams.sync(client=client, limit=2, cursor=first.next_cursor))
    assert {team.id for team in first.items}.isdisjoint(team.id for team in second.items)
    assert second.next_cursor is None


def change(client: AuthenticatedClient) -> None:
    """Change one field of a thing and leave the others; clear one with null."""
    team = given(list_teams.sync(client=client, limit=1)).items[0]
    renamed = given(update_team.sync(team.id, client=client, body=TeamUpdate(name="Disks")))
    assert (renamed.id, renamed.name) == (team.id, "Disks")


def meet_problems(client: AuthenticatedClient, incident_id: UUID) -> None:
    """Be refused in three ways, each of them typed."""
    missing = refused(get_incident.sync_detailed(uuid4(), client=client), HTTPStatus.NOT_FOUND)
    assert_type(missing, Problem)
    assert_type(missing.code, str)
    assert missing.code == "incident_not_found", missing
    conflict = refused(
        reopen_incident.sync_detailed(incident_id, client=client), HTTPStatus.CONFLICT
    )
    assert conflict.code == "not_allowed_now", conflict
    invalid = refused(
        create_team.sync_detailed(client=client, body=TeamCreate(name="")),
        HTTPStatus.UNPROCESSABLE_ENTITY,
    )
    assert [error.pointer for error in invalid.errors or []] == ["/name"], invalid
    stranger = AuthenticatedClient(base_url=base_url, token="isk_nobody")
    refused(list_services.sync_detailed(client=stranger), HTTPStatus.UNAUTHORIZED)


if __name__ == "__main__":
    base_url, key, pager_url = sys.argv[1:]
    tool = AuthenticatedClient(base_url=base_url, token=key, raise_on_unexpected_status=True)
    sender_key = set_up(tool, pager_url)
    fire(AuthenticatedClient(base_url=base_url, token=sender_key))
    incident = answer(tool)
    page_through(tool)
    change(tool)
    meet_problems(tool, incident)
    print("the whole story")
