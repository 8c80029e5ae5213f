"""What `dev` says when it is ready. Pure."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from incident_service.cli.samples import disk_alert, webhook

RULE = "─" * 78


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is to say; `minute_s` is the length of a policy's minute."""

    url: str
    api_key: str
    integration_key: str
    data_dir: Path
    minute_s: float
    told_also_by: tuple[str, ...] = ()


def banner(facts: Facts) -> str:
    """Return all that a person needs to try the service."""
    parts = [
        RULE,
        overview(facts),
        "For alertmanager.yml:\n\n" + alertmanager_snippet(facts),
        by_hand(facts),
        "Ctrl-C stops everything; the data stays.\n" + RULE,
    ]
    return "\n\n".join(parts)


def overview(facts: Facts) -> str:
    """Return where everything is."""
    rows = {
        "Address": facts.url,
        "API docs": f"{facts.url}/docs",
        "API key": facts.api_key,
        "Data": str(facts.data_dir),
        "Pages go to": ", ".join(("this terminal", *facts.told_also_by)),
        "Drill": drill(facts.minute_s),
    }
    return "\n".join(f"{name:<12} {value}" for name, value in rows.items())


def drill(minute_s: float) -> str:
    """Say how long a policy's minute lasts, and what that does to the demo policy."""
    if minute_s == 60:  # noqa: PLR2004 - a minute
        return "none: a policy's minute lasts 60 s (INCIDENT_SERVICE_ESCALATION_MINUTE_SECONDS)"
    return (
        f"a policy's minute lasts {minute_s:g} s, so that you see it climb "
        "(INCIDENT_SERVICE_ESCALATION_MINUTE_SECONDS)"
    )


def by_hand(facts: Facts) -> str:
    """Say how to fire an alert without Alertmanager; its page says how to take it, with `$KEY`."""
    return (
        "Or fire an alert by hand; its page appears here, and says how to take it:\n\n"
        f"export KEY={facts.api_key}\n{fire_command(facts)}"
    )


def fire_command(facts: Facts) -> str:
    """Return a command that sends one alert, to be pasted into a shell."""
    body = webhook([disk_alert("db-1", service="checkout")])
    return " \\\n  ".join(
        [
            f"curl -sS {facts.url}/v1/ingest/alertmanager",
            f"-H {shlex.quote(f'Authorization: Bearer {facts.integration_key}')}",
            "-H 'Content-Type: application/json'",
            f"-d {shlex.quote(json.dumps(body))}",
        ]
    )


def alertmanager_snippet(facts: Facts) -> str:
    """Return the part of Alertmanager's configuration that sends everything here.

    `max_alerts: 0` sends all alerts of a group. `repeat_interval` is how long an alert that got
    lost on the way may stay unnoticed.
    """
    return f"""\
route:
  receiver: incident-service
  group_by: [alertname]
  group_wait: 10s
  group_interval: 1m
  repeat_interval: 1h
receivers:
  - name: incident-service
    webhook_configs:
      - url: {facts.url}/v1/ingest/alertmanager
        send_resolved: true
        max_alerts: 0
        http_config:
          authorization:
            type: Bearer
            credentials: {facts.integration_key}"""
