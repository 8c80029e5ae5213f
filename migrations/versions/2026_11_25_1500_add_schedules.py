"""Add schedules, their layers and participants, and overrides.

New tables only, which the previous release does not know: it serves on.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False, comment="IANA, such as Europe/Berlin"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_schedules_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
    )
    op.create_index(op.f("ix_schedules_team_id"), "schedules", ["team_id"], unique=False)
    op.create_index(
        "uq_schedules_name", "schedules", ["team_id", sa.literal_column("lower(name)")], unique=True
    )
    op.create_table(
        "schedule_layers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.Column("handoff_time", sa.Time(), nullable=False),
        sa.Column(
            "handoff_weekday",
            sa.Integer(),
            nullable=True,
            comment="0 is Monday; NULL unless weekly",
        ),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "first",
            sa.Integer(),
            nullable=False,
            comment="the participant, from 0, who has shift number 0",
        ),
        sa.Column(
            "restrictions",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="[{weekdays, from_time, to_time}]",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(unit = 'week') = (handoff_weekday IS NOT NULL)",
            name=op.f("ck_schedule_layers_weekday_given"),
        ),
        sa.CheckConstraint(
            "unit IN ('hour', 'day', 'week')", name=op.f("ck_schedule_layers_unit_known")
        ),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_schedule_layers_ends_later")),
        sa.CheckConstraint("every >= 1", name=op.f("ck_schedule_layers_every_positive")),
        sa.CheckConstraint(
            "handoff_weekday BETWEEN 0 AND 6", name=op.f("ck_schedule_layers_weekday_range")
        ),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["schedules.id"],
            name=op.f("fk_schedule_layers_schedule_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule_layers")),
    )
    op.create_index(
        "uq_schedule_layers_position", "schedule_layers", ["schedule_id", "position"], unique=True
    )
    op.create_table(
        "schedule_overrides",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_schedule_overrides_ends_later")),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["schedules.id"],
            name=op.f("fk_schedule_overrides_schedule_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_schedule_overrides_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule_overrides")),
    )
    op.create_index(
        "ix_schedule_overrides_schedule_id_ends_at",
        "schedule_overrides",
        ["schedule_id", "ends_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_schedule_overrides_user_id"), "schedule_overrides", ["user_id"], unique=False
    )
    op.create_table(
        "schedule_participants",
        sa.Column("layer_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["layer_id"],
            ["schedule_layers.id"],
            name=op.f("fk_schedule_participants_layer_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_schedule_participants_user_id")
        ),
        sa.PrimaryKeyConstraint("layer_id", "position", name=op.f("pk_schedule_participants")),
    )
    op.create_index(
        op.f("ix_schedule_participants_user_id"), "schedule_participants", ["user_id"], unique=False
    )
    op.create_index(
        "uq_schedule_participants_user_id",
        "schedule_participants",
        ["layer_id", "user_id"],
        unique=True,
    )


def downgrade() -> None:
    op.drop_table("schedule_participants")
    op.drop_table("schedule_overrides")
    op.drop_table("schedule_layers")
    op.drop_table("schedules")
