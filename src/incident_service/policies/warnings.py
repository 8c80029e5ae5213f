"""What would let a page go to nobody, found while there is time to mend it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from incident_service.policies.models import TargetType
from incident_service.policies.plan import PlanLevel, Target
from incident_service.policies.targets import Outlook
from incident_service.schedules import oncall

LOOKS_AHEAD = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Warned:
    """One thing to mend, and at which level; None: in the whole policy."""

    code: str
    level_number: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A policy as warnings see it; `names` are those of its targets."""

    team_id: UUID
    is_active: bool
    levels: Sequence[PlanLevel]
    names: Mapping[UUID, str]


def find_warnings(policy: Judged, outlook: Outlook, now: datetime) -> list[Warned]:
    """Return what is wrong with a policy now or within the next 14 days."""
    found = list(warnings_of_policy(policy))
    for number, level in enumerate(policy.levels, start=1):
        if not outlook.at(now).meant_by(policy.team_id, level.targets):
            found.append(
                Warned("level_pages_nobody", number, f"Level {number} would page nobody now.")
            )
        for target in level.targets:
            found += [
                Warned(code, number, message)
                for code, message in warnings_of_target(policy, target, outlook, now)
            ]
    return found


def warnings_of_policy(policy: Judged) -> Iterator[Warned]:
    """Go through what is wrong with the policy as a whole."""
    if not policy.is_active:
        yield Warned(
            "inactive", None, "The policy is not active: its services page the team's managers."
        )
    if not policy.levels:
        yield Warned("no_levels", None, "The policy has no levels: it pages the team's managers.")


def warnings_of_target(
    policy: Judged, target: Target, outlook: Outlook, now: datetime
) -> Iterator[tuple[str, str]]:
    """Go through what is wrong with one target: code and message."""
    if target.id is None:
        return
    if target.type is TargetType.TEAM_CHANNEL:
        if target.id not in outlook.reach.channels:
            name = policy.names.get(target.id, "")
            yield "channel_off", f"The channel {name} is not told: it is deleted or switched off."
        return
    if target.type is TargetType.USER:
        people = {target.id}
    else:
        roster = outlook.rosters.get(target.id, oncall.Roster())
        people = roster.people()
        if gaps := oncall.gaps(roster, now, now + LOOKS_AHEAD):
            yield "schedule_gap", gap_message(policy.names.get(target.id, ""), gaps)
    for name in sorted(policy.names.get(id_, "") for id_ in people - outlook.reach.people.keys()):
        yield (
            "person_unreachable",
            f"{name} cannot be paged: not active, or no contact method is enabled and verified.",
        )


def gap_message(name: str, gaps: Sequence[oncall.Gap]) -> str:
    """Say when nobody is on call by a schedule."""
    first, more = gaps[0], len(gaps) - 1
    message = (
        f"Nobody is on call by {name} from {first.starts_at:%Y-%m-%d %H:%M} "
        f"to {first.ends_at:%Y-%m-%d %H:%M} UTC"
    )
    if more:
        message += f", nor at {more} more times in the next {LOOKS_AHEAD.days} days"
    return f"{message}."
