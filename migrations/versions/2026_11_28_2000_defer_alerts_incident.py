"""Look for an alert's incident when the transaction ends.

A new episode is stored together with the id of the incident that it opens, before the incident is.
Only the catalogue changes; the previous release, which stores them the other way round, goes on.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

CONSTRAINT = "ALTER TABLE alerts ALTER CONSTRAINT fk_alerts_incident_id"


def upgrade() -> None:
    """Apply."""
    op.execute(f"{CONSTRAINT} DEFERRABLE INITIALLY DEFERRED")


def downgrade() -> None:
    """Undo."""
    op.execute(f"{CONSTRAINT} NOT DEFERRABLE")
