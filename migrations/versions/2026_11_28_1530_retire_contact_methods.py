"""Let a contact method be deleted, and the record of what it was told stay.

The previous release shows such a row as one that is switched off and has no address. Taking this
back deletes these rows with their record.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLE = "contact_methods"
UNIQUE = {
    "uq_contact_methods_user_address": ["user_id", "kind", "address"],
    "uq_contact_methods_team_name": ["team_id", sa.text("lower(name)")],
}


def upgrade() -> None:
    op.add_column(
        TABLE,
        sa.Column(
            "retired_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it was deleted; it stays for the record of what it was told",
        ),
    )
    op.create_check_constraint(
        op.f("ck_contact_methods_retired_is_off"), TABLE, "retired_at IS NULL OR NOT is_enabled"
    )
    make_unique(sa.text("retired_at IS NULL"))


def downgrade() -> None:
    op.execute("DELETE FROM contact_methods WHERE retired_at IS NOT NULL")
    make_unique(None)
    op.drop_constraint(op.f("ck_contact_methods_retired_is_off"), TABLE)
    op.drop_column(TABLE, "retired_at")


def make_unique(where: sa.TextClause | None) -> None:
    for name, columns in UNIQUE.items():
        op.drop_index(name, table_name=TABLE)
        op.create_index(name, TABLE, columns, unique=True, postgresql_where=where)
