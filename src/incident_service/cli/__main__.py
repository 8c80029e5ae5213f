"""Run the commands as `python -m incident_service.cli`."""

from incident_service.cli import app

app()
