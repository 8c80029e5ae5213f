"""Add what a provider reports of a page after it has taken it.

Columns that may be empty, which the previous release does not know: it serves on, and asks for no
reports.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "page_attempts",
        sa.Column(
            "provider_status",
            sa.Text(),
            nullable=True,
            comment="what the provider has reported since; it moves forwards only",
        ),
    )
    op.add_column(
        "page_attempts", sa.Column("provider_status_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "page_attempts",
        sa.Column(
            "provider_error", sa.Text(), nullable=True, comment="the provider's number of a failure"
        ),
    )


def downgrade() -> None:
    for name in ("provider_error", "provider_status_at", "provider_status"):
        op.drop_column("page_attempts", name)
