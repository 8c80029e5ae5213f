"""Let people link incidents that have to do with each other.

A new table, which the previous release does not know: it shows no links.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLE = "incident_relations"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("first_id", sa.Uuid(), nullable=False),
        sa.Column("second_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("first_id < second_id", name=op.f("ck_incident_relations_in_order")),
        sa.ForeignKeyConstraint(
            ["first_id"],
            ["incidents.id"],
            name=op.f("fk_incident_relations_first_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["second_id"],
            ["incidents.id"],
            name=op.f("fk_incident_relations_second_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("first_id", "second_id", name=op.f("pk_incident_relations")),
    )
    op.create_index(op.f("ix_incident_relations_second_id"), TABLE, ["second_id"])


def downgrade() -> None:
    op.drop_table(TABLE)
