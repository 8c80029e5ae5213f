"""Collect what a set of timers changes, and write it in the declared order of locks."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import update

from incident_service import jobs
from incident_service.core.bulk import insert_rows
from incident_service.core.db import Tx
from incident_service.core.ids import new_id
from incident_service.escalation.models import EscalationJob, TimerKind
from incident_service.escalation.steps import Position
from incident_service.incidents.models import Incident
from incident_service.notifications import actions as notifications
from incident_service.observability import metrics


@dataclass(slots=True)
class Changes:
    """Rows of `escalation_jobs` to complete and to add, and whom to notify."""

    now: datetime
    minute: timedelta
    completed: list[dict[str, Any]] = field(default_factory=list)
    added: list[dict[str, Any]] = field(default_factory=list)
    requests: list[notifications.Request] = field(default_factory=list)
    lateness_s: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, tx: Tx) -> "Changes":
        """Start with nothing, at the transaction's instant."""
        return cls(tx.now, tx.minute)

    def complete(self, row: EscalationJob, outcome: str) -> UUID:
        """Mark a due row as executed."""
        self.completed.append(
            {"id": row.id, "completed": True, "executed_at": self.now, "outcome": outcome}
        )
        self.lateness_s.append(max(0.0, (self.now - row.scheduled_for).total_seconds()))
        return row.id

    def add_executed(self, incident: Incident, at: Position, outcome: str) -> UUID:
        """Add a step that takes effect in this very transaction."""
        return self._add(
            incident,
            TimerKind.STEP,
            at,
            self.now,
            completed=True,
            executed_at=self.now,
            outcome=outcome,
        )

    def add_pending(
        self, incident: Incident, kind: TimerKind, at: Position, due_at: datetime
    ) -> UUID:
        """Add the one timer that the incident waits for from now on."""
        return self._add(incident, kind, at, due_at)

    def _add(
        self,
        incident: Incident,
        kind: TimerKind,
        at: Position,
        due_at: datetime,
        *,
        completed: bool = False,
        executed_at: datetime | None = None,
        outcome: str | None = None,
    ) -> UUID:
        row_id = new_id()
        self.added.append(
            {
                "id": row_id,
                "incident_id": incident.id,
                "kind": kind,
                "arq_job_id": str(row_id),
                "epoch": incident.escalation_epoch,
                "scheduled_repeat": at.repeat,
                "scheduled_level": at.level,
                "scheduled_for": due_at,
                "completed": completed,
                "outcome": outcome,
                "executed_at": executed_at,
                "created_at": self.now,
            }
        )
        return row_id

    def minutes(self, count: int) -> timedelta:
        """Return a span of policy minutes."""
        return self.minute * count

    async def write(self, tx: Tx) -> None:
        """Write incidents and events, then timers, then notifications, and owe the jobs."""
        await tx.flush()
        if self.completed:
            # First: the new pending row would meet the old one in the unique index.
            await tx.session.execute(update(EscalationJob), self.completed)
        if self.added:
            await insert_rows(tx.session, EscalationJob, self.added)
        for row in self.added:
            if not row["completed"]:
                tx.enqueue(jobs.run_timer(row["id"], row["scheduled_for"]))
        tx.after_commit(self.count)
        await notifications.request(tx, self.requests)

    def count(self) -> None:
        """Count the steps that were taken, and how late they were."""
        taken = (row["outcome"] for row in (*self.completed, *self.added) if row["completed"])
        for outcome, times in Counter(taken).items():
            metrics.STEPS.labels(outcome).inc(times)
        for late_s in self.lateness_s:
            metrics.STEP_LATENESS.observe(late_s)
