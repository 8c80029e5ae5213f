"""One story told twice, to the service and to the model; after each event both must agree."""

import asyncio
from collections.abc import Coroutine, Mapping
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant
from tests.chaos import promises
from tests.chaos.alert_model import Message, Model, Window
from tests.chaos.climb_model import Incident, Policy, Refused
from tests.chaos.promises import Heard
from tests.chaos.world import Ground, World
from tests.notifications.arrangements import ScriptedChannel

from incident_service.core.errors import Conflict
from incident_service.escalation.jobs import GRACE
from incident_service.incidents.lifecycle import Status
from incident_service.notifications.models import NotificationKind

Answer = TypeVar("Answer")

# Disk and Memory share an incident; Power has one of its own.
KEYS = {"Disk": "Pair", "Memory": "Pair", "Power": "Power"}
PAIR: dict[str, Any] = {"labels": {"alertname": "Pair"}, "group_labels": {"cluster": "eu"}}
FIRST_POLICY = Policy(1, (("First", 5), ("Second", 5)))


class Story(RuleBasedStateMachine):
    """What happened so far. Hypothesis is synchronous: one event loop lives through all stories."""

    runner: asyncio.Runner
    ground: Ground

    def begin(self) -> None:
        self.channel = ScriptedChannel()
        self.world: World = self.run(self.ground.make_world(self.channel))
        self.model = Model(KEYS, FIRST_POLICY, assignee="First")
        self.serials = count(2)
        self.ids: dict[Incident, UUID] = {}
        self.sent: list[Message] = []
        self.held_up: list[Message] = []
        self.jobs: list[str] = []
        self.pages_seen = 0
        self.is_well = True
        self.windows: dict[Window, UUID] = {}

    def run(self, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
        return self.runner.run(coroutine)

    @property
    def now(self) -> datetime:
        return self.world.clock()

    # --- what can happen

    def last_start(self, name: str) -> datetime | None:
        return max((item.starts_at for item in self.sent if item.name == name), default=None)

    def say(self, message: Message, *, late: bool) -> None:
        self.sent.append(message)
        if late:
            self.held_up.append(message)
        else:
            self.send(message)

    def send(self, message: Message) -> None:
        stage = self.world.stage
        alert = stage.alert(
            message.name,
            firing=message.ends_at is None,
            starts_at=message.starts_at,
            ends_at=message.ends_at,
            severity="critical" if message.is_urgent else "info",
            **(PAIR if KEYS[message.name] == "Pair" else {}),
        )
        self.run(stage.send(alert))
        self.model.hear(message, self.now)

    def incident(self, which: int) -> Incident:
        return list(self.ids)[which % len(self.ids)]

    def do(self, verb: str, which: int, **arguments: Any) -> None:
        """Do a verb to an incident; what the model refuses has to be refused."""
        incident = self.incident(which)
        expected = getattr(incident, verb)
        if verb == "reopen":
            expected = partial(self.model.reopen, incident)
        work = partial(self.world.do, verb, self.ids[incident], **arguments)
        try:
            expected(self.now, **arguments)
        except Refused:
            with pytest.raises(Conflict):
                self.run(work())
        else:
            self.run(work())

    def running(self) -> list[Window]:
        return [window for window in self.windows if window.ends_at > self.now]

    def start_window(self, key: str | None, ends_at: datetime) -> None:
        window = Window(key, ends_at, self.now)
        self.windows[window] = self.run(self.world.start_maintenance(key, ends_at))
        self.model.start_maintenance(window)

    def end_window(self, window: Window) -> None:
        self.run(self.world.end_maintenance(self.windows[window]))
        self.model.end_maintenance(window, self.now)

    def time_passes(self, seconds: int, who: str) -> None:
        self.world.clock.advance(seconds=seconds)
        if who == "worker":
            self.work()
        elif who == "reconciler":
            self.reconcile()

    def work(self) -> None:
        """Run the jobs that are due."""
        for key in self.run(self.world.due_jobs()):
            self.run_job(key)

    def reconcile(self) -> None:
        self.run(self.world.run_timers())
        self.run_timers_due_by(self.now - GRACE)
        self.run(self.world.release_held())
        self.model.release_held(self.now)
        self.run(self.world.deliver_overdue())
        self.run(self.world.settle_windows())
        self.run(self.world.restore_jobs())

    def job(self, which: int) -> str:
        return self.jobs[which % len(self.jobs)]

    def run_job(self, key: str, *, keep: bool = False) -> None:
        wakes_timers = self.run(self.world.wakes_timers(key))
        self.run(self.world.run_job(key, keep=keep))
        if wakes_timers:
            self.run_timers_due_by(self.now)

    def run_timers_due_by(self, due_by: datetime) -> None:
        """Have the model take every step that is due, as a worker does that was woken."""
        for incident in self.model.all_incidents():
            if incident.timer and incident.timer.due_at <= due_by:
                incident.run_timer(self.now)

    # --- what must be so after each of it

    @invariant()
    def all_is_well(self) -> None:
        self.is_well = False
        self.alerts_are_where_the_model_is()
        self.incidents_are_where_the_model_is()
        self.nobody_was_told_in_vain()
        assert self.run(self.world.look(promises.broken)) == []
        self.is_well = True

    def alerts_are_where_the_model_is(self) -> None:
        rows = self.run(self.world.episodes())
        for name, expected in self.model.episodes.items():
            found = [tuple(row)[1:] for row in rows if row["name"] == name]
            assert found == [
                (starts_at, "firing" if episode.is_firing else "resolved", episode.refire_at)
                for starts_at, episode in sorted(expected.items())
            ]

    def incidents_are_where_the_model_is(self) -> None:
        rows = self.run(self.world.standing())
        for key, expected in self.model.incidents.items():
            found = [row for row in rows if row["name"] == key]
            assert [summary(row) for row in found] == [as_expected(item) for item in expected]
            self.ids |= {item: row["id"] for item, row in zip(expected, found, strict=True)}
            for item, row in zip(expected, found, strict=True):
                item.is_untold = bool(row["is_untold"])
        self.jobs = self.run(self.world.all_jobs())

    def nobody_was_told_in_vain(self) -> None:
        """P5 at the channel: whatever was handed over was still wanted at that instant."""
        by_id = {incident_id: incident for incident, incident_id in self.ids.items()}
        for page in self.channel.pages[self.pages_seen :]:
            for told in page.incidents:
                incident = by_id[told.id]
                if told.kind is NotificationKind.PAGE:
                    assert incident.status is Status.OPEN
                    assert incident.snoozed_until is None
                    assert not incident.is_held
        self.pages_seen = len(self.channel.pages)

    def teardown(self) -> None:
        """In the end everybody is told, each page under one key."""
        if not getattr(self, "is_well", False):
            return
        self.channel.script.clear()
        assert self.run(self.world.come_to_rest()) == []
        assert self.run(self.world.look(promises.broken)) == []
        heard = [
            Heard(str(page.id), tuple(str(incident.id) for incident in page.incidents))
            for page in self.channel.pages
        ]
        assert self.run(self.world.look(promises.misheard, heard)) == []


def summary(row: Mapping[str, Any]) -> tuple[Any, ...]:
    timer = row["timer"]
    if timer is not None:
        timer = (timer[0], datetime.fromisoformat(timer[1]))
    at = (row["current_repeat"], row["current_level"])
    return row["status"], at, row["is_exhausted"], timer, row["told"]


def as_expected(incident: Incident) -> tuple[Any, ...]:
    timer = (incident.timer.kind, incident.timer.due_at) if incident.timer else None
    return incident.status.value, incident.at, incident.is_exhausted, timer, incident.told
