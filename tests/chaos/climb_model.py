"""What an incident's climb must be, in plain Python: the rules of the design, no database.

Everybody can always be reached here. An incident is either critical or for information only, and
then quiet, until something urgent joins or somebody has it climb.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from incident_service.incidents.lifecycle import Status

MINUTE = timedelta(minutes=1)
RECHECK = 5 * MINUTE
REMINDER = 30 * MINUTE
UNREMINDED = 24 * 60 * MINUTE
MANAGER = "Manager"
RESPONDER = "First"


class Refused(Exception):
    """The verb makes no sense now."""


@dataclass(frozen=True)
class Policy:
    """Who is paged at each level, and the minutes that they have. An edit keeps the `serial`."""

    serial: int = 0
    levels: tuple[tuple[str, int], ...] = ()
    repeat_count: int = 1
    ack_timeout_minutes: int | None = None


NO_POLICY = Policy()
Position = tuple[int, int]
"""Which pass, which level."""


@dataclass(frozen=True)
class Timer:
    """What an incident waits for."""

    kind: str
    due_at: datetime
    at: Position = (1, 1)


@dataclass(eq=False)
class Incident:
    """One incident as it must be. `policy` says what its policy is at this moment."""

    policy: Callable[[], Policy]
    is_urgent: bool
    is_quiet: bool
    status: Status = Status.OPEN
    plan: Policy = NO_POLICY
    at: Position = (1, 0)
    is_exhausted: bool = False
    timer: Timer | None = None
    told: list[str] = field(default_factory=list)
    told_in_epoch: bool = False
    told_at: datetime | None = None
    acknowledged_at: datetime | None = None
    was_urgent: bool = False
    assignee_told_at: datetime | None = None
    snoozed_until: datetime | None = None
    resolved_at: datetime | None = None
    until_clear: bool = False
    assignee: str | None = None
    # The timer that was stopped last, with what was left of its time.
    stopped: Timer | None = None
    left: timedelta = timedelta(0)
    # Seen, not foretold: all pages of the last level were taken back before they were sent.
    is_untold: bool = False
    # The latest end of what is maintained at an instant; None: nothing covers the incident then.
    maintained_until: Callable[[datetime], datetime | None] = lambda _: None
    is_held: bool = False
    asked_at: datetime | None = None

    @property
    def is_active(self) -> bool:
        return self.status in (Status.OPEN, Status.ACKNOWLEDGED)

    # --- the climb

    def start(self, now: datetime, *, in_maintenance: bool = False) -> None:
        """Begin at level 1 with a fresh copy of the policy."""
        self.stop(now)
        if self.is_quiet:
            return
        self.plan = self.policy()
        self.at = (1, 0)
        self._begin_epoch()
        if in_maintenance or not self.hold(now):
            self._step((1, 1), now)

    def resume(self, now: datetime) -> None:
        """Page the current level again; begin anew when none was paged."""
        if self.at[1] == 0:
            self.start(now)
            return
        self.stop(now)
        if not self.is_quiet:
            self._begin_epoch()
            if not self.hold(now):
                self._step(self.at, now)

    def go_on(self, now: datetime) -> None:
        """Wait for the rest of the time that a step had when it was stopped."""
        if self.is_quiet or self.hold(now):
            return
        if self.is_untold:
            self.resume(now)
            return
        if self.stopped is None or self.stopped.kind != "step":
            self.start(now)
            return
        self.timer = Timer("step", now + self.left, self.stopped.at)

    def stop(self, now: datetime) -> None:
        if self.timer is not None:
            self.stopped = self.timer
            self.left = max(self.timer.due_at - now, timedelta(0))
        self.timer = None
        self.is_held = False

    def hold(self, now: datetime) -> bool:
        """Wait for the end of what is maintained, if anything is."""
        until = self.maintained_until(now)
        if until is None:
            return False
        self.stop(now)
        self.is_held, self.timer = True, Timer("maintenance_end", until)
        return True

    def meet_maintenance(self, now: datetime) -> None:
        """Be held by a window that begins now, unless somebody has asked for pages since."""
        climbs = self.status is Status.OPEN and not self.is_quiet and self.snoozed_until is None
        if climbs and not self.is_held and self.asked_at != now:
            self.hold(now)

    def leave_maintenance(self, now: datetime) -> None:
        """Look again at what holds the climb: a window has ended early."""
        if not self.hold(now):
            self.resume(now)

    def run_timer(self, now: datetime) -> None:
        """Do what the timer is for."""
        timer = self.timer
        assert timer is not None
        assert timer.due_at <= now
        self.timer = self.stopped = None
        match timer.kind:
            case "step":
                self._step(timer.at, now)
            case "reminder":
                last = self.plan.levels[-1][0]
                if self.is_urgent:
                    self._tell(now, MANAGER, *([] if last == MANAGER else [last]))
                self.timer = Timer("reminder", now + (REMINDER if self.is_urgent else UNREMINDED))
            case "recheck":
                self._look_again(now)
            case "ack_timeout":
                self._forget_acknowledge()
                self.resume(now)
            case "maintenance_end":
                self.leave_maintenance(now)
            case _:
                self.snoozed_until = None
                self.resume(now)

    def _begin_epoch(self) -> None:
        self.is_exhausted = self.told_in_epoch = False

    def _step(self, due: Position, now: datetime) -> None:
        levels = self.plan.levels
        self.assignee = None
        if not levels:
            self._tell(now, MANAGER)
            self.timer = Timer("recheck", now + RECHECK)
        elif due >= self._end():
            self.is_exhausted = True
            self._tell(now, MANAGER)
            self.timer = Timer("reminder", now + (REMINDER if self.is_urgent else UNREMINDED))
        else:
            person, minutes = levels[due[1] - 1]
            self.at = due
            self._tell(now, person)
            self.timer = Timer("step", now + minutes * MINUTE, self._following(due))

    def _look_again(self, now: datetime) -> None:
        self.plan = self.policy()
        if self.plan.levels:
            self.start(now)
            return
        is_due_again = self.told_at is None or self.told_at + REMINDER <= now
        if not self.told_in_epoch or (self.is_urgent and is_due_again):
            self._tell(now, MANAGER)
        self.timer = Timer("recheck", now + RECHECK)

    def _following(self, at: Position) -> Position:
        repeat, level = at
        if level < len(self.plan.levels):
            return repeat, level + 1
        return (repeat + 1, 1) if repeat < self.plan.repeat_count else self._end()

    def _end(self) -> Position:
        return self.plan.repeat_count, len(self.plan.levels) + 1

    def _tell(self, now: datetime, *people: str) -> None:
        self.told += people
        self.told_in_epoch = True
        self.told_at = now

    # --- the verbs

    def acknowledge(self, now: datetime) -> None:
        self._must_be(Status.OPEN, Status.ACKNOWLEDGED)
        if self.status is Status.ACKNOWLEDGED:
            return
        self.status = Status.ACKNOWLEDGED
        self.assignee = RESPONDER
        self.acknowledged_at = now
        self.was_urgent = self.is_urgent
        self.snoozed_until = None
        self.stop(now)
        if self.plan.ack_timeout_minutes and not self.is_quiet:
            self.timer = Timer("ack_timeout", now + self.plan.ack_timeout_minutes * MINUTE)

    def unacknowledge(self, now: datetime) -> None:
        self._must_be(Status.OPEN, Status.ACKNOWLEDGED)
        if self.status is Status.ACKNOWLEDGED:
            self._forget_acknowledge()
            self.resume(now)

    def resolve(self, now: datetime, *, until_clear: bool = False) -> None:
        self._must_be(Status.OPEN, Status.ACKNOWLEDGED, Status.RESOLVED)
        if self.status is not Status.RESOLVED:
            self.status = Status.RESOLVED
            self.resolved_at = now
            self.until_clear = until_clear
            self.snoozed_until = None
            self.stop(now)

    def reopen(self, now: datetime) -> None:
        was_acknowledged = self.acknowledged_at is not None
        self._forget_acknowledge()
        self.resolved_at = None
        self.until_clear = False
        if was_acknowledged:
            self.start(now)
        else:
            self.go_on(now)

    def close(self, now: datetime) -> None:
        self._must_be(Status.RESOLVED, Status.CLOSED)
        self.status = Status.CLOSED

    def snooze(self, now: datetime, until: datetime) -> None:
        self._must_be(Status.OPEN)
        self.snoozed_until = until
        self.stop(now)
        self.timer = Timer("snooze_end", until)

    def escalate(self, now: datetime, *, seen_repeat: int, seen_level: int) -> None:
        self._must_be(Status.OPEN, Status.ACKNOWLEDGED)
        if (seen_repeat, seen_level) != self.at:
            raise Refused
        due = self._following(self.at) if self.at[1] else (1, 1)
        if self.at[1] and due >= self._end():
            raise Refused
        self._forget_acknowledge()
        self.snoozed_until = None
        self.is_quiet = False
        self.asked_at = now
        if not self.at[1]:
            self.start(now, in_maintenance=True)
            return
        self.stop(now)
        self.is_exhausted = False
        self._step(due, now)

    def restart(self, now: datetime) -> None:
        self._must_be(Status.OPEN, Status.ACKNOWLEDGED)
        self.is_quiet = False
        self.start_over(now, in_maintenance=True)

    def hand_over(self, now: datetime, *, person: str) -> None:
        """Ask one person alone, for as long as the present level has."""
        self._must_be(Status.OPEN, Status.ACKNOWLEDGED)
        if self.assignee == person:
            return
        self._forget_acknowledge()
        self.snoozed_until = None
        self.is_quiet = False
        self.asked_at = now
        self.stop(now)
        if not self.at[1]:
            self.plan = self.policy()
        self._begin_epoch()
        self.assignee = person
        self._tell(now, person)
        repeat, level = self.at[0], max(self.at[1], 1)
        known = level <= len(self.plan.levels)
        wait = self.plan.levels[level - 1][1] * MINUTE if known else RECHECK
        self.timer = Timer("step", now + wait, (repeat, level))

    def prioritize(self, now: datetime, *, is_urgent: bool) -> None:
        self._must_be(Status.OPEN, Status.ACKNOWLEDGED)
        if is_urgent is self.is_urgent:
            return
        self.is_urgent = is_urgent
        is_open = self.status is Status.OPEN
        if not is_open:
            self.was_urgent = is_urgent
        was_quiet, self.is_quiet = self.is_quiet, not is_urgent
        if is_urgent and is_open:
            self._become_urgent(now, was_quiet=was_quiet)
        elif is_urgent and was_quiet and self.plan.ack_timeout_minutes:
            self.timer = Timer("ack_timeout", now + self.plan.ack_timeout_minutes * MINUTE)
        elif not is_urgent and not was_quiet:
            self.is_exhausted = False
            if is_open:
                self.assignee = None
            if self.snoozed_until is None:
                self.stop(now)

    def _become_urgent(self, now: datetime, *, was_quiet: bool) -> None:
        if self.snoozed_until is not None:
            self.snoozed_until = None
            self.resume(now)
        elif not self.is_held and (was_quiet or self.is_exhausted):
            self.asked_at = self.asked_at if was_quiet else now
            self.start(now)

    def start_over(self, now: datetime, *, in_maintenance: bool = False) -> None:
        """Begin again because of what joined: what is quiet stays so."""
        self._forget_acknowledge()
        self.snoozed_until = None
        self.asked_at = now
        self.start(now, in_maintenance=in_maintenance)

    def tell_assignee(self, now: datetime, person: str) -> None:
        self.told.append(person)
        self.assignee_told_at = now

    def _must_be(self, *statuses: Status) -> None:
        if self.status not in statuses:
            raise Refused

    def _forget_acknowledge(self) -> None:
        self.status = Status.OPEN
        self.acknowledged_at = self.assignee_told_at = self.assignee = None
