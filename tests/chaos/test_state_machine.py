"""Anything in any order: a small model says what must follow, and SQL whether the promises hold.

Hypothesis chooses what senders, responders, operators, the worker and Redis do. A failure is
printed as the shortest story that it could find. `CHAOS_EXAMPLES=500` makes it long and random.
"""

import asyncio
import os
from asyncio import CancelledError
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.chaos import promises
from tests.chaos.alert_model import Message, Model
from tests.chaos.climb_model import NO_POLICY, Incident, Policy, Refused
from tests.chaos.promises import Heard
from tests.chaos.world import Ground, World, open_ground
from tests.notifications.arrangements import ScriptedChannel, permanent, temporary
from tests.stage import MINUTE

from incident_service.core.errors import Conflict
from incident_service.escalation.jobs import GRACE
from incident_service.incidents.lifecycle import Status
from incident_service.notifications.models import NotificationKind

EXAMPLES = int(os.environ.get("CHAOS_EXAMPLES", "0"))
CALM: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.generate, Phase.shrink),
}
SHORT = settings(max_examples=25, stateful_step_count=30, derandomize=True, database=None, **CALM)
LONG = settings(max_examples=max(EXAMPLES, 1), stateful_step_count=50, print_blob=True, **CALM)
Answer = TypeVar("Answer")

# Disk and Memory share an incident; Power has one of its own.
KEYS = {"Disk": "Pair", "Memory": "Pair", "Power": "Power"}
PAIR: dict[str, Any] = {"labels": {"alertname": "Pair"}, "group_labels": {"cluster": "eu"}}

NAMES = st.sampled_from(sorted(KEYS))
WHICH = st.integers(0, 5)
OFTEN_NOT = st.sampled_from([False, False, True])
WORKING = st.sampled_from(["worker", "reconciler", "nobody"])
LEVELS = st.lists(
    st.tuples(st.sampled_from(["First", "Second", "Manager"]), st.sampled_from([1, 5])),
    min_size=1,
    max_size=3,
)
POLICIES = st.builds(
    Policy,
    levels=LEVELS.map(tuple),
    repeat_count=st.integers(1, 2),
    ack_timeout_minutes=st.sampled_from([None, 10]),
)
# A worker that dies while it sends is cancelled there, and nothing after that happens.
FAILURES = st.lists(
    st.sampled_from([temporary(), permanent(), CancelledError()]), min_size=1, max_size=3
)

there_are_incidents = precondition(lambda self: self.ids)
there_are_jobs = precondition(lambda self: self.jobs)


class Anything(RuleBasedStateMachine):
    """What can happen, to the service and to the model of it."""

    runner: asyncio.Runner
    ground: Ground

    @initialize(names=st.sets(NAMES, min_size=1))
    def begin(self, names: set[str]) -> None:
        self.channel = ScriptedChannel()
        self.world: World = self.run(self.ground.make_world(self.channel))
        self.serials = count(1)
        policy = Policy(next(self.serials), (("First", 5), ("Second", 5)))
        self.model = Model(KEYS, policy, assignee="First")
        self.ids: dict[Incident, UUID] = {}
        self.sent: list[Message] = []
        self.held_up: list[Message] = []
        self.jobs: list[str] = []
        self.pages_seen = 0
        self.is_well = True
        for name in sorted(names):
            self.fire(name, late=False)

    def run(self, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
        return self.runner.run(coroutine)

    @property
    def now(self) -> datetime:
        return self.world.clock()

    # --- what senders do

    @rule(name=NAMES, late=OFTEN_NOT)
    def fire(self, name: str, *, late: bool) -> None:
        """Fire, or say once more that it fires."""
        self.say(Message(name, self.last_start(name) or self.now), late=late)

    @rule(name=NAMES, late=OFTEN_NOT)
    def refire(self, name: str, *, late: bool) -> None:
        self.say(Message(name, self.now), late=late)

    @rule(name=NAMES, late=OFTEN_NOT)
    def clear(self, name: str, *, late: bool) -> None:
        self.say(Message(name, self.last_start(name) or self.now, self.now), late=late)

    @precondition(lambda self: self.sent)
    @rule(back=WHICH)
    def duplicate(self, back: int) -> None:
        self.send(self.sent[-1 - back % len(self.sent)])

    @precondition(lambda self: self.held_up)
    @rule(data=st.data())
    def reorder(self, data: st.DataObject) -> None:
        """What was held up on the way arrives, in any order."""
        messages, self.held_up = self.held_up, []
        for message in data.draw(st.permutations(messages)):
            self.send(message)

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
            **(PAIR if KEYS[message.name] == "Pair" else {}),
        )
        self.run(stage.send(alert))
        self.model.hear(message, self.now)

    # --- what responders do

    @there_are_incidents
    @rule(which=WHICH)
    def acknowledge(self, which: int) -> None:
        self.do("acknowledge", which)

    @there_are_incidents
    @rule(which=WHICH)
    def unacknowledge(self, which: int) -> None:
        self.do("unacknowledge", which)

    @there_are_incidents
    @rule(which=WHICH, until_clear=st.booleans())
    def resolve(self, which: int, *, until_clear: bool) -> None:
        self.do("resolve", which, until_clear=until_clear)

    @there_are_incidents
    @rule(which=WHICH, minutes=st.sampled_from([1, 20]))
    def snooze(self, which: int, minutes: int) -> None:
        self.do("snooze", which, until=self.now + minutes * MINUTE)

    @there_are_incidents
    @rule(which=WHICH, has_moved=OFTEN_NOT)
    def escalate(self, which: int, *, has_moved: bool) -> None:
        repeat, level = self.incident(which).at
        self.do("escalate", which, seen_repeat=repeat, seen_level=level + has_moved)

    @there_are_incidents
    @rule(which=WHICH, verb=st.sampled_from(["close", "reopen", "restart"]))
    def another_verb(self, which: int, verb: str) -> None:
        self.do(verb, which)

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

    # --- what operators do

    @rule(policy=POLICIES, apply_to_open=st.booleans())
    def edit_policy(self, policy: Policy, *, apply_to_open: bool) -> None:
        """Edit the policy, or make one where there is none."""
        serial = self.model.policy.serial
        if serial:
            self.run(self.world.edit_policy(policy, apply_to_open=apply_to_open))
        else:
            self.run(self.world.make_policy(policy))
        named = replace(policy, serial=serial or next(self.serials))
        self.model.change_policy(named, self.now, apply_to_open=apply_to_open and serial > 0)

    @precondition(lambda self: self.model.policy.serial)
    @rule()
    def delete_policy(self) -> None:
        self.run(self.world.delete_policy())
        self.model.change_policy(NO_POLICY, self.now, apply_to_open=False)

    # --- what time does; somebody is at work then, or nobody is

    @rule(seconds=st.sampled_from([0, 1, 2, 30]), who=WORKING)
    def a_moment_passes(self, seconds: int, who: str) -> None:
        self.time_passes(seconds, who)

    @rule(seconds=st.sampled_from([61, 180, 301]), who=WORKING)
    def minutes_pass(self, seconds: int, who: str) -> None:
        self.time_passes(seconds, who)

    @rule(seconds=st.sampled_from([600, 960, 1860, 3700]), who=WORKING)
    def much_time_passes(self, seconds: int, who: str) -> None:
        self.time_passes(seconds, who)

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
        for incident in self.model.all_incidents():
            if incident.timer and incident.timer.due_at <= self.now - GRACE:
                incident.run_timer(self.now)
        self.run(self.world.release_held())
        self.model.release_held(self.now)
        self.run(self.world.deliver_overdue())
        self.run(self.world.restore_jobs())

    # --- what goes wrong

    @there_are_jobs
    @rule(which=WHICH)
    def double_job(self, which: int) -> None:
        """A job comes twice, and perhaps too early."""
        self.run_job(self.job(which), keep=True)
        self.run_job(self.job(which), keep=True)

    @there_are_jobs
    @rule(which=WHICH, all_of_them=st.booleans())
    def lose_jobs(self, which: int, *, all_of_them: bool) -> None:
        """A job gets lost, or Redis is flushed."""
        self.run(self.world.flush() if all_of_them else self.world.drop_job(self.job(which)))

    @rule(failures=FAILURES)
    def fail_to_send(self, failures: list[Exception]) -> None:
        self.channel.script = list(failures)

    def job(self, which: int) -> str:
        return self.jobs[which % len(self.jobs)]

    def run_job(self, key: str, *, keep: bool = False) -> None:
        due = self.run(self.world.timers_of([key]))
        self.run(self.world.run_job(key, keep=keep))
        for incident, incident_id in self.ids.items():
            if incident_id in due:
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
                else:
                    assert incident.is_active
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


def test_whatever_happens_the_promises_are_kept(database_url, valkey):
    with asyncio.Runner() as runner:
        opening = open_ground(database_url, valkey.url)
        Anything.runner = runner
        Anything.ground = runner.run(opening.__aenter__())
        try:
            run_state_machine_as_test(Anything, settings=LONG if EXAMPLES else SHORT)
        finally:
            runner.run(opening.__aexit__(None, None, None))
