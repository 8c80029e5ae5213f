"""What the API takes and shows of escalation policies."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from incident_service.policies.models import TargetType
from incident_service.policies.plan import PlanLevel, Target
from incident_service.web.fields import Flag, Name, Patch, Prose, Request, Response, Whole
from incident_service.web.resources import Resource

WEEK = 7 * 24 * 60
Minutes = Annotated[Whole, Field(ge=1, le=WEEK)]
RepeatCount = Annotated[Whole, Field(ge=1, le=9, description="How often the levels run in all.")]
AckTimeout = Annotated[
    Whole,
    Field(
        ge=1,
        le=WEEK,
        description="Minutes until an acknowledged incident pages again; null: never.",
    ),
]
Reminder = Annotated[
    Whole,
    Field(
        ge=1,
        le=WEEK,
        description="Minutes between reminders after the last level of an urgent incident; "
        "null: none.",
    ),
]


class TargetWrite(Request):
    """Whom to page: a user, whoever a schedule has on call, or the policy's entire team.

    Users and schedules are named by their ids. The entire team: its managers and responders. A
    team's channel is told in addition to people, so it is never a level's first target.
    """

    target_type: TargetType
    target_id: UUID | None = None


class LevelWrite(TargetWrite):
    """One rung of a policy; levels count from 1 in the order they are given."""

    additional_targets: list[TargetWrite] = Field(
        default_factory=list, max_length=20, description="Paged together with the first target."
    )
    timeout_minutes: Minutes = Field(
        30, description="How long they have to answer; at least 3 for the entire team."
    )

    def as_plan(self) -> PlanLevel:
        """Return the level in the domain's words."""
        targets = (self, *self.additional_targets)
        return PlanLevel(
            tuple(Target(target.target_type, target.target_id) for target in targets),
            self.timeout_minutes,
        )


Levels = Annotated[
    list[LevelWrite],
    Field(max_length=10, description="None at all: the team's managers are told at once."),
]


class EscalationPolicyCreate(Request):
    """A new escalation policy."""

    team_id: UUID
    name: Name
    description: Prose = ""
    is_default: Flag = Field(
        default=False,
        description="Pages for the team's services that name no policy. "
        "The team's default until now ceases to be it.",
    )
    is_active: Flag = True
    repeat_count: RepeatCount = 1
    ack_timeout_minutes: AckTimeout | None = None
    exhausted_reminder_minutes: Reminder | None = 30
    levels: Levels = Field(default_factory=list)


class EscalationPolicyUpdate(Patch):
    """Changes of an escalation policy; `levels` are replaced as a whole."""

    name: Name | None = None
    description: Prose | None = None
    is_default: Flag | None = None
    is_active: Flag | None = None
    repeat_count: RepeatCount | None = None
    ack_timeout_minutes: AckTimeout | None = None
    exhausted_reminder_minutes: Reminder | None = None
    levels: Levels | None = None

    @classmethod
    def nullable(cls) -> frozenset[str]:
        """Return the fields that null clears."""
        return frozenset({"ack_timeout_minutes", "exhausted_reminder_minutes"})


class LevelInsert(LevelWrite):
    """One more rung of a policy."""

    level_number: Annotated[Whole, Field(ge=1, le=10)] | None = Field(
        None, description="Its number; the levels from there on move up. Left out: the last."
    )


class TargetRead(Response):
    """Whom a level pages."""

    target_type: TargetType
    target_id: UUID | None


class LevelRead(TargetRead):
    """One rung of a policy."""

    level_number: int
    additional_targets: list[TargetRead]
    timeout_minutes: int


class PolicyColumns(Resource):
    """What the policy's own row says."""

    id: UUID
    team_id: UUID
    name: str
    description: str
    is_default: bool
    is_active: bool
    repeat_count: int
    ack_timeout_minutes: int | None
    exhausted_reminder_minutes: int | None
    created_at: datetime
    updated_at: datetime


class PolicyWarning(Response):
    """Something about a policy that a person on call should not find out at night."""

    code: str = Field(
        description="`inactive`, `no_levels`, `level_pages_nobody`, `person_unreachable`, "
        "`schedule_gap`, `channel_off`, or a later one."
    )
    level_number: int | None
    message: str


class EscalationPolicyRead(PolicyColumns):
    """An escalation policy with its levels, first to last."""

    noted = frozenset({"warnings"})

    levels: list[LevelRead]
    warnings: list[PolicyWarning]


class EscalationPolicyUpdated(EscalationPolicyRead):
    """A changed escalation policy."""

    told_once = frozenset({"open_incidents_on_old_plan"})

    open_incidents_on_old_plan: int = Field(
        description="OPEN and ACKNOWLEDGED incidents that keep the plan as the policy was before."
    )


class EscalationPolicyPage(Response):
    """A page of escalation policies, oldest first."""

    items: list[EscalationPolicyRead]
    next_cursor: str | None
