"""Index the firing alerts of a service, while senders go on.

An index that is made beside writes cannot be made in a transaction. One that was interrupted
leaves an invalid index behind, which the next attempt drops.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NAME = "ix_alerts_firing_service_id"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(NAME, "alerts", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            NAME,
            "alerts",
            ["service_id"],
            postgresql_where=sa.text("status = 'firing'"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_index(NAME, "alerts")
