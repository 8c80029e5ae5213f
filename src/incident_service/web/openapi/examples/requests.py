"""What callers send, by the name of its schema, in the order in which a newcomer sends it."""

from typing import Any

from incident_service.web.openapi.examples.world import (
    BEGAN,
    FINGERPRINT,
    INCIDENT,
    LABELS,
    LATER,
    POLICY,
    SCHEDULE,
    SERVICE,
    SUMMARY,
    TEAM,
    USER,
)

REQUESTS: dict[str, Any] = {
    "TeamCreate": {"name": "Payments", "external_id": "payments"},
    "TeamUpdate": {"name": "Payments and billing"},
    "UserCreate": {
        "name": "Alex Example",
        "email": "alex@example.org",
        "time_zone": "Europe/Berlin",
    },
    "MembershipPut": {"role": "responder"},
    "ContactMethodCreate": {"kind": "email", "address": "alex@example.org"},
    "TeamChannelCreate": {
        "name": "#payments",
        "kind": "slack",
        "address": "https://hooks.slack.com/services/T0/B0/example",
    },
    "ApiKeyCreate": {"name": "dashboard", "scopes": ["read"], "team_ids": [TEAM]},
    "ScheduleCreate": {
        "team_id": TEAM,
        "name": "Payments, first line",
        "time_zone": "Europe/Berlin",
        "layers": [
            {
                "name": "weekly",
                "unit": "week",
                "handoff_time": "09:00",
                "handoff_weekday": "monday",
                "participants": [USER],
            }
        ],
    },
    "OverrideCreate": {"user_id": USER, "starts_at": BEGAN, "ends_at": LATER},
    "EscalationPolicyCreate": {
        "team_id": TEAM,
        "name": "Payments",
        "is_default": True,
        "repeat_count": 2,
        "levels": [
            {"target_type": "schedule", "target_id": SCHEDULE, "timeout_minutes": 5},
            {"target_type": "entire_team", "timeout_minutes": 15},
        ],
    },
    "ServiceCreate": {
        "team_id": TEAM,
        "name": "checkout",
        "escalation_policy_id": POLICY,
        "severity_map": {"p1": "critical"},
    },
    "IntegrationCreate": {
        "service_id": SERVICE,
        "name": "Alertmanager",
        "kind": "alertmanager",
    },
    "RoutingRulesPut": {"rules": [{"matchers": ['service="checkout"'], "service_id": SERVICE}]},
    "AlertmanagerWebhook": {
        "version": "4",
        "groupKey": '{}:{alertname="CheckoutSlow"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "incident-service",
        "groupLabels": {"alertname": "CheckoutSlow"},
        "commonLabels": LABELS,
        "commonAnnotations": {"summary": SUMMARY},
        "externalURL": "http://alertmanager.example.org",
        "alerts": [
            {
                "status": "firing",
                "labels": LABELS,
                "annotations": {"summary": SUMMARY},
                "startsAt": BEGAN,
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://prometheus.example.org/graph",
                "fingerprint": FINGERPRINT,
            }
        ],
    },
    "IncidentCreate": {
        "service_id": SERVICE,
        "title": "Customers cannot pay by card",
        "priority": "high",
        "description": "Three calls within ten minutes.",
        "key": "ticket-4711",
    },
    "VerbRequest": {"user_id": USER, "reason": "I look at it"},
    "NoteRequest": {"text": "The database of the card provider is full.", "user_id": USER},
    "PriorityRequest": {"priority": "critical", "reason": "All customers are concerned"},
    "SnoozeRequest": {"until": LATER, "reason": "The provider restarts at ten"},
    "ReassignRequest": {"escalation_policy_id": POLICY},
    "EscalateRequest": {"current_level": 1, "current_repeat": 1},
    "ResolveRequest": {"until_clear": True, "reason": "Fixed by the provider"},
    "BulkRequest": {"incident_ids": [INCIDENT], "reason": "One cause for all"},
    "SubscriptionCreate": {
        "team_id": TEAM,
        "name": "chat bot",
        "url": "https://bot.example.org/incidents",
        "kinds": ["opened", "resolved"],
    },
}
