"""Index what alerts are searched by as incidents are: text, and the most urgent first.

Indexes that are made beside writes cannot be made in a transaction. One that was interrupted leaves
an invalid index behind, which the next attempt drops.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019g"
down_revision = "0018"
branch_labels = None
depends_on = None

URGENCY = (
    "(array_position(ARRAY['firing', 'resolved'], status) * 10 + "
    "array_position(ARRAY['critical', 'high', 'medium', 'low', 'info'], priority))"
)
SEARCHED = "((title || ' ') || jsonb_path_query_array(labels, '$.*')::text)"
INDEXES = (
    ("ix_alerts_urgency", [sa.text(URGENCY), "first_received_at", "id"], {}),
    (
        "ix_alerts_text",
        [sa.literal_column(SEARCHED).label("searched")],
        {"postgresql_using": "gin", "postgresql_ops": {"searched": "gin_trgm_ops"}},
    ),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, columns, options in INDEXES:
            op.drop_index(name, "alerts", if_exists=True, postgresql_concurrently=True)
            op.create_index(name, "alerts", columns, postgresql_concurrently=True, **options)


def downgrade() -> None:
    for name, _, _ in INDEXES:
        op.drop_index(name, "alerts")
