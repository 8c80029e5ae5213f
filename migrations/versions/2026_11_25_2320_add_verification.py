"""Add what is needed to verify addresses, and messages that are about no incident.

Columns that may be empty or have a default, which the previous release does not know: it serves on,
and what it makes needs no code.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "contact_methods",
        sa.Column(
            "unverified_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="NULL: it may be paged; else it waits for the code that was sent there",
        ),
    )
    op.add_column(
        "contact_methods",
        sa.Column(
            "code_digest",
            sa.Text(),
            nullable=True,
            comment="SHA-256 of the code, hexadecimal",
        ),
    )
    op.add_column(
        "contact_methods", sa.Column("code_expires_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "contact_methods",
        sa.Column("code_attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column(
        "users",
        sa.Column(
            "last_note_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when a code or a test was sent",
        ),
    )
    op.add_column(
        "pages",
        sa.Column("note", sa.Text(), nullable=True, comment="what it says instead of its members"),
    )


def downgrade() -> None:
    op.drop_column("pages", "note")
    op.drop_column("users", "last_note_at")
    for name in ("code_attempts", "code_expires_at", "code_digest", "unverified_since"):
        op.drop_column("contact_methods", name)
