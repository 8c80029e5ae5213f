"""Keep the answers to requests that have an Idempotency-Key, for a day.

A table that the previous release does not know: a request that it takes is not remembered.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TABLE = "idempotency_keys"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("api_key_id", sa.Uuid(), nullable=False, comment="who asked"),
        sa.Column("key", sa.Text(), nullable=False, comment="Idempotency-Key, as it was sent"),
        sa.Column(
            "request_digest",
            sa.Text(),
            nullable=False,
            comment="HMAC-SHA256 of method, path and body by the caller's API key",
        ),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", postgresql.JSONB(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False, comment="sealed with the caller's API key"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_keys")),
        sa.UniqueConstraint("api_key_id", "key", name=op.f("uq_idempotency_keys_api_key_id_key")),
    )
    op.create_index("ix_idempotency_keys_created_at", TABLE, ["created_at"])


def downgrade() -> None:
    op.drop_table(TABLE)
