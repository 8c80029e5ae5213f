"""Record who changed what of the configuration, and which keys were refused.

A table that the previous release does not know. Its trigger holds for the owner of the table and for
superusers too, which a grant would not: rows never change, and none goes before it is 30 days old.

The index is for the notes that are forgotten after some time.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TABLE, FUNCTION = "audit_log", "refuse_change_of_audit_log"
NOTES = "ix_pages_notes"
REFUSE = f"""
CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.at < now() - interval '30 days' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit log is kept as it was written'
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'Only what is more than 30 days old can be deleted.';
END $$
"""


def upgrade() -> None:
    # First: what follows is one transaction, so that an attempt that broke off can be repeated.
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NOTES}")  # of an attempt that broke off
        op.create_index(
            NOTES,
            "pages",
            ["created_at"],
            postgresql_where=sa.text("note IS NOT NULL"),
            postgresql_concurrently=True,
        )
    op.create_table(
        TABLE,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "action",
            sa.Text(),
            nullable=False,
            comment="the operation of the API, or what it is like",
        ),
        sa.Column(
            "actor_type",
            sa.Text(),
            nullable=False,
            comment="user, api_key, system, unknown",
        ),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=True),
        sa.Column("resource_id", sa.Uuid(), nullable=True),
        sa.Column("resource_name", sa.Text(), nullable=True),
        sa.Column(
            "team_id",
            sa.Uuid(),
            nullable=True,
            comment="whose it is; NULL: the installation's",
        ),
        sa.Column("before", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("after", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column(
            "refused",
            postgresql.JSONB(none_as_null=True),
            nullable=True,
            comment="{code, key_hint, address}",
        ),
        sa.Column(
            "count",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="refused requests alike so far: 1, 10, 100, …",
        ),
        sa.Column("request_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_at", TABLE, ["at"])
    op.create_index("ix_audit_log_team_id_id", TABLE, ["team_id", "id"])
    op.create_index("ix_audit_log_actor_id_id", TABLE, ["actor_id", "id"])
    op.create_index("ix_audit_log_resource_id_id", TABLE, ["resource_id", "id"])
    op.execute(REFUSE)
    op.execute(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {TABLE} "
        f"FOR EACH ROW EXECUTE FUNCTION {FUNCTION}()"
    )
    op.execute(
        f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {TABLE} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {FUNCTION}()"
    )


def downgrade() -> None:
    op.drop_index(NOTES, table_name="pages")
    op.drop_table(TABLE)
    op.execute(f"DROP FUNCTION {FUNCTION}()")
