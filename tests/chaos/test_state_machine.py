"""Anything in any order: a small model says what must follow, and SQL whether the promises hold.

Hypothesis chooses what senders, responders, operators, the worker and Redis do. A failure is
printed as the shortest story that it could find. `CHAOS_EXAMPLES=500` makes it long and random.
"""

import asyncio
import os
from asyncio import CancelledError
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test
from tests.chaos.alert_model import Message
from tests.chaos.climb_model import NO_POLICY, Policy
from tests.chaos.story import KEYS, Story
from tests.chaos.world import open_ground
from tests.notifications.arrangements import permanent, temporary
from tests.stage import MINUTE

EXAMPLES = int(os.environ.get("CHAOS_EXAMPLES", "0"))
CALM: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.generate, Phase.shrink),
}
SHORT = settings(max_examples=20, stateful_step_count=30, derandomize=True, database=None, **CALM)
LONG = settings(max_examples=max(EXAMPLES, 1), stateful_step_count=50, print_blob=True, **CALM)

NAMES = st.sampled_from(sorted(KEYS))
WHICH = st.integers(0, 5)
OFTEN_NOT = st.sampled_from([False, False, True])
MOSTLY = st.sampled_from([True, True, False])
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
FAILURES = st.lists(st.sampled_from([temporary, permanent, CancelledError]), min_size=1, max_size=3)

there_are_incidents = precondition(lambda self: self.ids)
there_are_jobs = precondition(lambda self: self.jobs)


class Anything(Story):
    """What can happen."""

    @initialize(names=st.sets(NAMES, min_size=1), is_urgent=MOSTLY)
    def it_begins(self, names: set[str], *, is_urgent: bool) -> None:
        self.begin()
        for name in sorted(names):
            self.say(Message(name, self.now, is_urgent=is_urgent), late=False)

    # --- what senders do

    @rule(name=NAMES, late=OFTEN_NOT, is_urgent=MOSTLY)
    def fire(self, name: str, *, late: bool, is_urgent: bool) -> None:
        """Fire, or say once more that it fires."""
        began_at = self.last_start(name) or self.now
        self.say(Message(name, began_at, is_urgent=is_urgent), late=late)

    @rule(name=NAMES, late=OFTEN_NOT, is_urgent=MOSTLY)
    def refire(self, name: str, *, late: bool, is_urgent: bool) -> None:
        self.say(Message(name, self.now, is_urgent=is_urgent), late=late)

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

    @there_are_incidents
    @rule(which=WHICH, person=st.sampled_from(["Second", "Manager"]))
    def hand_over(self, which: int, person: str) -> None:
        self.do("hand_over", which, person=person)

    @there_are_incidents
    @rule(which=WHICH, is_urgent=st.booleans())
    def prioritize(self, which: int, *, is_urgent: bool) -> None:
        self.do("prioritize", which, is_urgent=is_urgent)

    @rule(key=st.sampled_from([None, "Pair", "Power"]), minutes=st.sampled_from([1, 12, 40]))
    def start_maintenance(self, key: str | None, minutes: int) -> None:
        self.start_window(key, self.now + minutes * MINUTE)

    @precondition(lambda self: self.running())
    @rule(which=WHICH)
    def end_maintenance(self, which: int) -> None:
        running = self.running()
        self.end_window(running[which % len(running)])

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
    def fail_to_send(self, failures: list[Callable[[], Exception]]) -> None:
        self.channel.script = [failure() for failure in failures]


def test_whatever_happens_the_promises_are_kept(database_url, valkey):
    with asyncio.Runner() as runner:
        opening = open_ground(database_url, valkey.url)
        Anything.runner = runner
        Anything.ground = runner.run(opening.__aenter__())
        try:
            run_state_machine_as_test(Anything, settings=LONG if EXAMPLES else SHORT)
        finally:
            runner.run(opening.__aexit__(None, None, None))
