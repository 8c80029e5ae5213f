"""Decide what an incoming alert is: a new episode, an old one again, or the end of one. Pure.

Two questions, one after the other. `decide_episode`: what does this say about the alert's own
history? `meet`: what does a new episode do to the incident of its key? Senders repeat, reorder
and lose; the answers do not depend on how often something arrives, and only within the hold on
the order.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from incident_service.catalog.priority import Priority
from incident_service.incidents.lifecycle import Status

HOLD = timedelta(seconds=60)
"""How long a firing that repeats a resolved episode waits for another resolve."""
AN_INSTANT = timedelta(microseconds=1)
QUIET_AFTER_MANUAL_RESOLVE = timedelta(minutes=5)
TELL_ASSIGNEE_EVERY = timedelta(minutes=5)
ACKNOWLEDGE_IS_FRESH = timedelta(minutes=60)


@dataclass(frozen=True, slots=True)
class Episode:
    """What is stored of an episode. `fired` is False when only its resolve was ever seen."""

    starts_at: datetime
    first_received_at: datetime
    is_firing: bool
    fired: bool = True
    resolved_at: datetime | None = None
    refire_at: datetime | None = None

    @property
    def began_at(self) -> datetime:
        """Its start, for comparing: a start in the future counts from when we heard of it."""
        return min(self.starts_at, self.first_received_at)


@dataclass(frozen=True, slots=True)
class History:
    """The stored episodes of a fingerprint that matter to an incoming alert."""

    firing: Episode | None = None
    same_start: Episode | None = None
    newest: Episode | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """A new episode fires; `supersedes` ends before it."""

    starts_at: datetime
    estimated: bool = False
    supersedes: Episode | None = None


@dataclass(frozen=True, slots=True)
class Repeat:
    """A known firing episode, again."""

    episode: Episode


@dataclass(frozen=True, slots=True)
class Hold:
    """A resolved episode fires again; believe it at `until` unless another resolve comes."""

    episode: Episode
    until: datetime


@dataclass(frozen=True, slots=True)
class Stale:
    """The firing came after its own resolve, or after a newer episode: count it, do nothing."""

    episode: Episode


@dataclass(frozen=True, slots=True)
class Late:
    """An episode older than one that is known: stored as ended when the newer one began."""

    ended_at: datetime


@dataclass(frozen=True, slots=True)
class End:
    """The firing episode ends. `also_store`: the resolve speaks of a start never seen."""

    episode: Episode
    ends_at: datetime
    also_store: bool = False


@dataclass(frozen=True, slots=True)
class EndAgain:
    """A resolved episode is resolved again; that clears its hold.

    An end before the one that is stored is the real one: the other was the start of its successor.
    `also_store`: as of `End`.
    """

    episode: Episode
    ends_at: datetime
    also_store: bool = False


@dataclass(frozen=True, slots=True)
class StoreEnd:
    """The resolve of something never seen firing: stored, so that its late firing is stale."""

    starts_at: datetime
    ends_at: datetime
    estimated: bool = False


EpisodeDecision = Begin | Repeat | Hold | Stale | Late | End | EndAgain | StoreEnd


def decide_firing(
    starts_at: datetime | None, history: History, now: datetime
) -> Begin | Repeat | Hold | Stale | Late:
    """Decide what a firing alert says; `starts_at` is None when the sender gives no usable one."""
    if starts_at is None:
        if history.firing is not None:
            return Repeat(history.firing)
        return Begin(estimated_start(history.newest, now), estimated=True)
    began_at = min(starts_at, now)
    newer = newer_than(began_at, history)
    if history.same_start is not None:
        return decide_known_firing(history.same_start, newer)
    if newer is not None:
        return Late(ended_at=max(newer.began_at, starts_at))
    return Begin(starts_at, supersedes=history.firing)


def estimated_start(newest: Episode | None, now: datetime) -> datetime:
    """Return when an alert began that does not say: now, or after all that is known of it.

    Several may come in one transaction, which has one instant; no two episodes start at the same.
    """
    return now if newest is None else max(now, newest.starts_at + AN_INSTANT)


def decide_known_firing(same: Episode, newer: Episode | None) -> Repeat | Hold | Stale:
    """Decide what a firing of a stored episode says."""
    if same.is_firing:
        return Repeat(same)
    if not same.fired or same.resolved_at is None or newer is not None:
        return Stale(same)
    return Hold(same, same.refire_at or same.resolved_at + HOLD)


def newer_than(began_at: datetime, history: History) -> Episode | None:
    """Return a stored episode that began later."""
    for episode in (history.firing, history.newest):
        if episode is not None and episode.began_at > began_at:
            return episode
    return None


def decide_resolved(
    starts_at: datetime | None, ends_at: datetime | None, history: History, now: datetime
) -> End | EndAgain | StoreEnd:
    """Decide what a resolved alert says.

    It ends the firing episode that it names, whatever end it gives. It also ends another that
    started no later than its end: some senders rewrite `startsAt` when they resolve.
    """
    ended = ends_at or now
    same = history.same_start
    if same is not None:
        return End(same, ended) if same.is_firing else decide_known_resolved(same, ended, history)
    if history.firing is not None and history.firing.began_at <= ended:
        between = speaks_of_another(starts_at, ended, history.firing)
        return End(history.firing, ended, also_store=between)
    held = history.newest
    if held is not None and held.refire_at is not None and held.began_at <= ended:
        return EndAgain(held, ended, also_store=speaks_of_another(starts_at, ended, held))
    if starts_at is None and history.newest is not None:
        return EndAgain(history.newest, ended)
    return StoreEnd(starts_at or ended, ended, estimated=starts_at is None)


def decide_known_resolved(same: Episode, ended: datetime, history: History) -> End | EndAgain:
    """Decide what the resolve of a resolved episode says; another may fire by now."""
    if history.firing is not None and history.firing.began_at <= ended:
        return End(history.firing, ended)
    return EndAgain(same, ended)


def speaks_of_another(starts_at: datetime | None, ended: datetime, known: Episode) -> bool:
    """Say whether a resolve is of a start that was never seen, after that of a known episode."""
    return starts_at is not None and known.starts_at < starts_at < ended


def plausible_end(starts_at: datetime, ends_at: datetime, now: datetime) -> datetime:
    """Return when an episode ended, as it is kept: clocks differ, and nothing lasts below zero."""
    return max(min(ends_at, now), starts_at)


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of the newest incident of a key."""

    status: Status
    priority: Priority
    is_exhausted: bool = False
    snoozed_until: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_priority: Priority | None = None
    assignee_told_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by_hand: bool = False
    resolved_until_clear: bool = False


@dataclass(frozen=True, slots=True)
class Open:
    """A new incident; linked to the one before, if there was one."""


@dataclass(frozen=True, slots=True)
class Reopen:
    """The same trouble came back soon."""


@dataclass(frozen=True, slots=True)
class Join:
    """Nothing but one alert more."""


@dataclass(frozen=True, slots=True)
class JoinAndRestart:
    """One alert more, and the climb begins again at level 1."""

    reason: str


@dataclass(frozen=True, slots=True)
class JoinAndTell:
    """One alert more, and whoever acknowledged hears of it."""


@dataclass(frozen=True, slots=True)
class JoinAndWake:
    """One alert more, urgent enough to end the snooze."""


Meeting = Open | Reopen | Join | JoinAndRestart | JoinAndTell | JoinAndWake


def meet(
    known: Known | None, priority: Priority, reopen_window: timedelta, now: datetime
) -> Meeting:
    """Decide what a new episode does to the newest incident of its key."""
    if known is None or known.status is Status.CLOSED:
        return Open()
    if known.status is Status.RESOLVED:
        ended_at = known.resolved_at or now
        return Reopen() if now - ended_at <= reopen_window else Open()
    if known.status is Status.ACKNOWLEDGED:
        return meet_acknowledged(known, priority, now)
    if known.snoozed_until is not None and known.snoozed_until > now:
        return JoinAndWake() if priority.outranks(known.priority) else Join()
    if known.is_exhausted:
        return JoinAndRestart("an alert joined after the policy had run out")
    return Join()


def meet_acknowledged(
    known: Known, priority: Priority, now: datetime
) -> Join | JoinAndRestart | JoinAndTell:
    """Decide whether the person who took the incident still has it in hand."""
    if priority.outranks(known.acknowledged_priority or known.priority):
        return JoinAndRestart("an alert of higher priority joined")
    if known.acknowledged_at is not None and now - known.acknowledged_at > ACKNOWLEDGE_IS_FRESH:
        return JoinAndRestart("an alert joined more than 60 minutes after the acknowledge")
    told_at = known.assignee_told_at
    if told_at is None or now - told_at >= TELL_ASSIGNEE_EVERY:
        return JoinAndTell()
    return Join()


def believes_again(known: Known, now: datetime) -> bool:
    """Say whether a re-send of a firing episode whose incident is over opens a new one.

    Somebody resolved it by hand while it fired: for five minutes that is believed, with
    `until_clear` until the alert itself has ended.
    """
    if known.status.is_active or known.resolved_until_clear:
        return False
    ended_at = known.resolved_at or now
    return now - ended_at > QUIET_AFTER_MANUAL_RESOLVE
