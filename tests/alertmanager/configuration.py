"""What is written into `alertmanager.yml`."""

from typing import Any

import yaml


def bearer(key: str) -> dict[str, Any]:
    return {"authorization": {"type": "Bearer", "credentials": key}}


def basic(key: str) -> dict[str, Any]:
    return {"basic_auth": {"username": "alertmanager", "password": key}}


def configuration(
    ingest_url: str, http_config: dict[str, Any], *, repeat_interval: str = "1h"
) -> str:
    """Group by alertname, and send what is new to the service within moments."""
    webhook = {"url": ingest_url, "send_resolved": True, "http_config": http_config}
    return yaml.safe_dump(
        {
            "route": {
                "receiver": "incident-service",
                "group_by": ["alertname"],
                "group_wait": "0s",
                "group_interval": "200ms",
                "repeat_interval": repeat_interval,
            },
            "receivers": [{"name": "incident-service", "webhook_configs": [webhook]}],
        }
    )
