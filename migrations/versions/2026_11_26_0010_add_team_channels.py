"""Let a contact method belong to a team: a chat's channel or a machine that its levels also tell.

The previous release takes one for the fallback contact, so make the first when none of it runs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

FALLBACK = "uq_contact_methods_fallback_address"


def upgrade() -> None:
    op.add_column("contact_methods", sa.Column("team_id", sa.Uuid(), nullable=True))
    op.add_column(
        "contact_methods",
        sa.Column("name", sa.Text(), nullable=True, comment="of a team's channel"),
    )
    op.create_foreign_key(
        op.f("fk_contact_methods_team_id"), "contact_methods", "teams", ["team_id"], ["id"]
    )
    op.create_check_constraint(
        op.f("ck_contact_methods_one_owner"),
        "contact_methods",
        "user_id IS NULL OR team_id IS NULL",
    )
    op.create_check_constraint(
        op.f("ck_contact_methods_team_name"),
        "contact_methods",
        "(team_id IS NULL) = (name IS NULL)",
    )
    op.create_index(
        "uq_contact_methods_team_name",
        "contact_methods",
        ["team_id", sa.text("lower(name)")],
        unique=True,
    )
    op.drop_index(FALLBACK, table_name="contact_methods")
    op.create_index(
        FALLBACK,
        "contact_methods",
        ["kind", "address"],
        unique=True,
        postgresql_where=sa.text("user_id IS NULL AND team_id IS NULL"),
    )


def downgrade() -> None:
    op.execute("DELETE FROM contact_methods WHERE team_id IS NOT NULL")
    op.drop_index(FALLBACK, table_name="contact_methods")
    op.create_index(
        FALLBACK,
        "contact_methods",
        ["kind", "address"],
        unique=True,
        postgresql_where=sa.text("user_id IS NULL"),
    )
    op.drop_index("uq_contact_methods_team_name", table_name="contact_methods")
    op.drop_constraint(op.f("ck_contact_methods_team_name"), "contact_methods")
    op.drop_constraint(op.f("ck_contact_methods_one_owner"), "contact_methods")
    op.drop_constraint(op.f("fk_contact_methods_team_id"), "contact_methods")
    op.drop_column("contact_methods", "name")
    op.drop_column("contact_methods", "team_id")
