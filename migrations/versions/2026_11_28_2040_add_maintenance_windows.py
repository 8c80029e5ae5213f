"""Add maintenance windows, and let them hold incidents.

The previous release does not know windows: what it opens while one runs pages, and the timer that an
incident waits for, `maintenance_end`, it leaves to workers of this one. Constraints are validated,
and the index is made, while writers go on; an attempt that broke off can be repeated.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

TABLE, COLUMN = "maintenance_windows", "maintenance_window_id"
REFERENCE = "fk_incidents_maintenance_window_id"
HELD = "ix_incidents_maintenance_window_id"
TIMERS = ("step", "ack_timeout", "snooze_end", "recheck", "reminder")
REASONS = ("acknowledged", "resolved", "snoozed", "superseded", "replanned", "inactive")
CHECKS = (
    ("escalation_jobs", "kind", TIMERS, "maintenance_end"),
    ("notifications", "cancelled_because", REASONS, "maintenance"),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        create_table()
        op.execute(f"ALTER TABLE incidents ADD COLUMN IF NOT EXISTS {COLUMN} UUID")
        op.execute(f"COMMENT ON COLUMN incidents.{COLUMN} IS 'what holds its climb'")
        op.execute(
            f"ALTER TABLE incidents DROP CONSTRAINT IF EXISTS {REFERENCE}, "
            f"ADD CONSTRAINT {REFERENCE} FOREIGN KEY ({COLUMN}) REFERENCES {TABLE} (id) NOT VALID"
        )
        op.execute(f"ALTER TABLE incidents VALIDATE CONSTRAINT {REFERENCE}")
        op.drop_index(HELD, "incidents", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            HELD,
            "incidents",
            [COLUMN],
            postgresql_where=sa.text(f"{COLUMN} IS NOT NULL"),
            postgresql_concurrently=True,
        )
        for table, column, known, new in CHECKS:
            set_check(table, column, (*known, new))


def create_table() -> None:
    at, uuid = sa.DateTime(timezone=True), sa.Uuid()
    op.create_table(
        TABLE,
        sa.Column("id", uuid, nullable=False),
        sa.Column("team_id", uuid, nullable=False),
        sa.Column("service_id", uuid, nullable=True, comment="NULL: all of the team's services"),
        sa.Column(
            "matchers", postgresql.JSONB(), nullable=False, comment="of the incident's labels"
        ),
        sa.Column("starts_at", at, nullable=False),
        sa.Column("ends_at", at, nullable=False),
        sa.Column("ended_at", at, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_by", postgresql.JSONB(), nullable=False, comment="{type, id, name}"),
        sa.Column(
            "settle_until",
            at,
            nullable=True,
            comment="until then workers look for incidents that missed its start or its last "
            "change",
        ),
        sa.Column("created_at", at, nullable=False),
        sa.Column("updated_at", at, nullable=False),
        sa.CheckConstraint("ends_at > starts_at", name=op.f(f"ck_{TABLE}_ends_later")),
        sa.CheckConstraint(
            "ends_at <= starts_at + interval '30 days'", name=op.f(f"ck_{TABLE}_not_too_long")
        ),
        sa.CheckConstraint("ended_at >= starts_at", name=op.f(f"ck_{TABLE}_ended_after_start")),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f(f"fk_{TABLE}_team_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["service_id"], ["services.id"], name=op.f(f"fk_{TABLE}_service_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        if_not_exists=True,
    )
    for name, columns, where in (
        ("team_id_id", ["team_id", "id"], None),
        ("service_id", ["service_id"], None),
        ("ends_at", ["ends_at"], "ended_at IS NULL"),
        ("unsettled", ["starts_at"], "settle_until IS NOT NULL"),
    ):
        op.create_index(
            op.f(f"ix_{TABLE}_{name}"),
            TABLE,
            columns,
            postgresql_where=sa.text(where) if where else None,
            if_not_exists=True,
        )


def set_check(table: str, column: str, known: tuple[str, ...]) -> None:
    values = ", ".join(f"'{value}'" for value in known)
    name = f"ck_{table}_{column}_known"
    op.execute(
        f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}, "
        f"ADD CONSTRAINT {name} CHECK ({column} IN ({values})) NOT VALID"
    )
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def downgrade() -> None:
    # What is held goes on at once, by the previous release: as if it had been snoozed until now.
    op.execute("UPDATE incidents SET snoozed_until = now() WHERE maintenance_window_id IS NOT NULL")
    op.execute(
        "UPDATE escalation_jobs SET kind = 'snooze_end', scheduled_for = now() "
        "WHERE kind = 'maintenance_end' AND NOT completed AND cancelled_at IS NULL"
    )
    op.execute("UPDATE escalation_jobs SET kind = 'snooze_end' WHERE kind = 'maintenance_end'")
    op.execute(
        "UPDATE notifications SET cancelled_because = 'snoozed' "
        "WHERE cancelled_because = 'maintenance'"
    )
    for table, column, known, _ in CHECKS:
        values = ", ".join(f"'{value}'" for value in known)
        name = f"ck_{table}_{column}_known"
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IN ({values}))")
    op.drop_index(HELD, "incidents")
    op.drop_constraint(op.f(REFERENCE), "incidents")
    op.drop_column("incidents", COLUMN)
    op.drop_table(TABLE)
