"""Index what alerts are searched by as incidents are, and what analytics count.

Text, and the most urgent first, of alerts. Of incidents, the index by time also holds what analytics
count by, so that they need not read the rows; it takes the place of one that did not.

Indexes that are made beside writes cannot be made in a transaction. One that was interrupted leaves
an invalid index behind, which the next attempt drops.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

URGENCY = (
    "(array_position(ARRAY['firing', 'resolved'], status) * 10 + "
    "array_position(ARRAY['critical', 'high', 'medium', 'low', 'info'], priority))"
)
SEARCHED = "((title || ' ') || jsonb_path_query_array(labels, '$.*')::text)"
INCLUDED = (
    "team_id",
    "service_id",
    "fingerprint",
    "status",
    "priority",
    "is_quiet",
    "resolved_at",
)
INDEXES: tuple[tuple[str, str, list[Any], dict[str, Any]], ...] = (
    ("alerts", "ix_alerts_urgency", [sa.text(URGENCY), "first_received_at", "id"], {}),
    (
        "alerts",
        "ix_alerts_text",
        [sa.literal_column(SEARCHED).label("searched")],
        {"postgresql_using": "gin", "postgresql_ops": {"searched": "gin_trgm_ops"}},
    ),
    ("incidents", "ix_incidents_span", ["created_at", "id"], {"postgresql_include": INCLUDED}),
)
NARROW: tuple[str, str, list[Any], dict[str, Any]] = (
    "incidents",
    "ix_incidents_created_at",
    ["created_at", "id"],
    {},
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for index in INDEXES:
            make(*index)
        op.drop_index(NARROW[1], NARROW[0], if_exists=True, postgresql_concurrently=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        make(*NARROW)
        for table, name, _, _ in INDEXES:
            op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)


def make(table: str, name: str, columns: list[Any], options: dict[str, Any]) -> None:
    op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
    op.create_index(name, table, columns, postgresql_concurrently=True, **options)
