"""What alerts must do to incidents, in plain Python: the rules of the design, no database."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from tests.chaos.climb_model import MINUTE, Incident, Policy, Refused

from incident_service.incidents.lifecycle import Status

HOLD = timedelta(seconds=60)
REOPEN_WINDOW = 15 * MINUTE
BELIEVED = 5 * MINUTE
FRESH = 60 * MINUTE


@dataclass(frozen=True)
class Message:
    """One alert as a sender says it; a firing one has no end."""

    name: str
    starts_at: datetime
    ends_at: datetime | None = None
    is_urgent: bool = True


@dataclass(eq=False)
class Episode:
    """One time that an alert fires; `fired` is False when only its end was heard of."""

    key: str
    starts_at: datetime
    is_urgent: bool
    is_firing: bool = True
    fired: bool = True
    resolved_at: datetime | None = None
    refire_at: datetime | None = None
    incident: Incident | None = None


@dataclass(eq=False)
class Window:
    """Maintenance of the incidents of a key; None: of all."""

    key: str | None
    ends_at: datetime
    starts_at: datetime

    def covers(self, key: str, now: datetime) -> bool:
        return self.key in (None, key) and self.starts_at <= now < self.ends_at


@dataclass
class Model:
    """Alerts by name, incidents by key; `keys` says which alerts share an incident."""

    keys: dict[str, str]
    policy: Policy
    assignee: str
    episodes: dict[str, dict[datetime, Episode]] = field(default_factory=dict)
    incidents: dict[str, list[Incident]] = field(default_factory=dict)
    windows: list[Window] = field(default_factory=list)

    # --- what senders do

    def hear(self, message: Message, now: datetime) -> None:
        """Take in one message."""
        if message.ends_at is None:
            self._hear_firing(message, now)
        else:
            self._hear_resolved(message, message.ends_at, now)

    def _hear_firing(self, message: Message, now: datetime) -> None:
        known = self._known(message.name)
        same = known.get(message.starts_at)
        newest = max(known, default=message.starts_at)
        is_old = newest > message.starts_at
        if same and same.is_firing:
            self._hear_again(same, now)
        elif same and same.resolved_at and same.fired and not is_old:
            same.refire_at = same.refire_at or same.resolved_at + HOLD
        elif not same:
            older = self._firing(message.name)
            key = self.keys[message.name]
            episode = Episode(key, message.starts_at, message.is_urgent)
            known[message.starts_at] = episode
            if is_old:
                episode.is_firing, episode.resolved_at = False, now
                episode.incident = known[newest].incident
                return
            self._arrive([episode], now)
            if older:
                self._end(older, now)

    def _hear_again(self, episode: Episode, now: datetime) -> None:
        """A re-send matters when its incident was resolved by hand a while ago."""
        over = episode.incident
        assert over is not None
        if over.is_active or over.until_clear:
            return
        if over.resolved_at is None or now - over.resolved_at > BELIEVED:
            self._arrive([episode], now, goes_on=True)

    def _hear_resolved(self, message: Message, ends_at: datetime, now: datetime) -> None:
        known = self._known(message.name)
        same, firing = known.get(message.starts_at), self._firing(message.name)
        held = known.get(max(known, default=message.starts_at))
        if firing and firing.starts_at <= ends_at:
            self._end(firing, now)
            if not same and firing.starts_at < message.starts_at < ends_at:
                self._store_end(message, now)
        elif same:
            same.refire_at = None
        elif held and held.refire_at and held.starts_at <= ends_at:
            held.refire_at = None
            if held.starts_at < message.starts_at < ends_at:
                self._store_end(message, now)
        else:
            self._store_end(message, now)

    def _store_end(self, message: Message, now: datetime) -> None:
        self._known(message.name)[message.starts_at] = Episode(
            self.keys[message.name],
            message.starts_at,
            message.is_urgent,
            is_firing=False,
            fired=False,
            resolved_at=now,
        )

    def _end(self, episode: Episode, now: datetime) -> None:
        episode.is_firing, episode.resolved_at, episode.refire_at = False, now, None
        incident = episode.incident
        if incident and incident.is_active and not self.firing_in(incident):
            incident.resolve(now)

    # --- what follows for incidents

    def _arrive(self, newcomers: list[Episode], now: datetime, *, goes_on: bool = False) -> None:
        """Let episodes of one key meet its active incident, or else the newest."""
        is_urgent = any(episode.is_urgent for episode in newcomers)
        of_key = self.incidents.setdefault(newcomers[0].key, [])
        newest = of_key[-1] if of_key else None
        incident = next((item for item in of_key if item.is_active), newest)
        if incident is None or self._opens(incident, now, goes_on=goes_on):
            incident = Incident(partial(getattr, self, "policy"), is_urgent, not is_urgent)
            incident.maintained_until = partial(self._maintained_until, newcomers[0].key)
            of_key.append(incident)
            incident.start(now)
        else:
            self._meet(incident, now, is_urgent=is_urgent)
        for episode in newcomers:
            episode.incident = incident

    def _opens(self, incident: Incident, now: datetime, *, goes_on: bool) -> bool:
        if incident.is_active:
            return False
        ended_at = incident.resolved_at
        closed = incident.status is Status.CLOSED
        return goes_on or closed or ended_at is None or now - ended_at > REOPEN_WINDOW

    def _meet(self, incident: Incident, now: datetime, *, is_urgent: bool) -> None:
        is_raised = is_urgent and not incident.is_urgent
        is_woken = is_raised and incident.is_quiet
        incident.is_urgent |= is_urgent
        incident.is_quiet &= not is_woken
        if incident.status is Status.RESOLVED:
            incident.reopen(now)
        elif incident.status is Status.ACKNOWLEDGED:
            self._meet_acknowledged(incident, now, is_urgent=is_urgent)
        elif incident.snoozed_until and incident.snoozed_until > now:
            if is_raised:
                incident.snoozed_until = None
                incident.resume(now)
        elif incident.is_exhausted and not incident.is_held:
            incident.start_over(now)
        elif is_woken:
            incident.snoozed_until = None
            incident.start(now)

    def _meet_acknowledged(self, incident: Incident, now: datetime, *, is_urgent: bool) -> None:
        assert incident.acknowledged_at is not None
        told_at = incident.assignee_told_at
        if (is_urgent and not incident.was_urgent) or now - incident.acknowledged_at > FRESH:
            incident.start_over(now)
        elif told_at is None or now - told_at >= BELIEVED:
            incident.tell_assignee(now, self.assignee)

    # --- what people and time do

    def reopen(self, incident: Incident, now: datetime) -> None:
        """Bring an incident back by hand."""
        if incident.status is Status.OPEN:
            return
        if incident.status is not Status.RESOLVED:
            raise Refused
        if any(other.is_active for other in self._of_same_key(incident)):
            raise Refused
        incident.reopen(now)

    def change_policy(self, policy: Policy, now: datetime, *, apply_to_open: bool) -> None:
        self.policy = policy
        if apply_to_open:
            for incident in self.all_incidents():
                follows = incident.plan.serial == policy.serial and not incident.is_quiet
                is_waiting = incident.snoozed_until is not None or incident.is_held
                if follows and incident.status is Status.OPEN and not is_waiting:
                    incident.asked_at = now
                    incident.start(now)

    def start_maintenance(self, window: Window) -> None:
        self.windows.append(window)
        for key, incidents in self.incidents.items():
            if window.covers(key, window.starts_at):
                for incident in incidents:
                    incident.meet_maintenance(window.starts_at)

    def end_maintenance(self, window: Window, now: datetime) -> None:
        """End a window early; what it held, and no timer that is due lets go, looks again."""
        ended_at, window.ends_at = window.ends_at, now
        for incident in self.all_incidents():
            if incident.is_held and incident.timer and incident.timer.due_at == ended_at > now:
                incident.leave_maintenance(now)

    def _maintained_until(self, key: str, now: datetime) -> datetime | None:
        ends = [window.ends_at for window in self.windows if window.covers(key, now)]
        return max(ends, default=None)

    def release_held(self, now: datetime) -> None:
        """Believe the firings whose hold is over."""
        by_key: dict[str, list[Episode]] = defaultdict(list)
        for name, known in self.episodes.items():
            for episode in known.values():
                if episode.refire_at is None or episode.refire_at > now:
                    continue
                episode.refire_at = None
                is_newest = episode.starts_at == max(known)
                if is_newest and self._firing(name) is None:
                    episode.is_firing, episode.resolved_at = True, None
                    by_key[episode.key].append(episode)
        for newcomers in by_key.values():
            self._arrive(newcomers, now)

    # --- what can be asked

    def all_incidents(self) -> list[Incident]:
        return [incident for of_key in self.incidents.values() for incident in of_key]

    def firing_in(self, incident: Incident) -> list[Episode]:
        return [
            episode
            for episode in self._all_episodes()
            if episode.is_firing and episode.incident is incident
        ]

    def _all_episodes(self) -> Iterable[Episode]:
        return (episode for known in self.episodes.values() for episode in known.values())

    def _known(self, name: str) -> dict[datetime, Episode]:
        return self.episodes.setdefault(name, {})

    def _firing(self, name: str) -> Episode | None:
        return next((item for item in self._known(name).values() if item.is_firing), None)

    def _of_same_key(self, incident: Incident) -> list[Incident]:
        return next(of_key for of_key in self.incidents.values() if incident in of_key)
