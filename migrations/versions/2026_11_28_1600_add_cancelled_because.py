"""Keep why a notification was taken back.

A column that may be empty, which the previous release does not know: what it takes back has none.
The constraint is validated while writers go on; one that was interrupted is made anew by the next
attempt.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TABLE, COLUMN = "notifications", "cancelled_because"
CHECK = "ck_notifications_cancelled_because_known"
KNOWN = ("acknowledged", "resolved", "snoozed", "superseded", "replanned", "inactive")


def upgrade() -> None:
    values = ", ".join(f"'{value}'" for value in KNOWN)
    with op.get_context().autocommit_block():
        op.execute(f"ALTER TABLE {TABLE} ADD COLUMN IF NOT EXISTS {COLUMN} TEXT")
        op.execute(
            f"ALTER TABLE {TABLE} DROP CONSTRAINT IF EXISTS {CHECK}, "
            f"ADD CONSTRAINT {CHECK} CHECK ({COLUMN} IN ({values})) NOT VALID"
        )
        op.execute(f"ALTER TABLE {TABLE} VALIDATE CONSTRAINT {CHECK}")


def downgrade() -> None:
    op.drop_constraint(op.f(CHECK), TABLE)
    op.drop_column(TABLE, COLUMN)
