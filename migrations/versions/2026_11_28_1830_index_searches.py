"""Index what incidents and alerts are listed and searched by, while senders go on.

Indexes that are made beside writes cannot be made in a transaction. One that was interrupted leaves
an invalid index behind, which the next attempt drops.

`pg_trgm` comes with PostgreSQL, and is one of the extensions that the owner of a database may add.
Where another role migrates, the owner adds it before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

URGENCY = (
    "(array_position(ARRAY['OPEN', 'ACKNOWLEDGED', 'RESOLVED', 'CLOSED'], status) * 10 + "
    "array_position(ARRAY['critical', 'high', 'medium', 'low', 'info'], priority))"
)
SEARCHED = "((title || ' ') || jsonb_path_query_array(labels, '$.*')::text)"
LABELS = {"postgresql_using": "gin", "postgresql_ops": {"labels": "jsonb_path_ops"}}
INDEXES = (
    ("incidents", "created_at", ["created_at", "id"], {}),
    ("incidents", "urgency", [sa.text(URGENCY), "created_at", "id"], {}),
    ("incidents", "team_id_created_at", ["team_id", "created_at"], {}),
    ("incidents", "service_id_created_at", ["service_id", "created_at"], {}),
    ("incidents", "priority_created_at", ["priority", "created_at"], {}),
    (
        "incidents",
        "assigned_user_id_created_at",
        ["assigned_user_id", "created_at"],
        {"postgresql_where": sa.text("assigned_user_id IS NOT NULL")},
    ),
    ("incidents", "quiet", ["created_at"], {"postgresql_where": sa.text("is_quiet")}),
    (
        "incidents",
        "exhausted",
        ["created_at"],
        {"postgresql_where": sa.text("exhausted_at IS NOT NULL")},
    ),
    ("incidents", "labels", ["labels"], LABELS),
    (
        "incidents",
        "text",
        [sa.literal_column(SEARCHED).label("searched")],
        {"postgresql_using": "gin", "postgresql_ops": {"searched": "gin_trgm_ops"}},
    ),
    ("alerts", "first_received_at", ["first_received_at", "id"], {}),
    ("alerts", "service_id_first_received_at", ["service_id", "first_received_at"], {}),
    ("alerts", "integration_id_first_received_at", ["integration_id", "first_received_at"], {}),
    ("alerts", "fingerprint_first_received_at", ["fingerprint", "first_received_at"], {}),
    ("alerts", "priority_first_received_at", ["priority", "first_received_at"], {}),
    (
        "alerts",
        "firing",
        ["first_received_at"],
        {"postgresql_where": sa.text("status = 'firing'")},
    ),
    (
        "alerts",
        "without_incident",
        ["first_received_at"],
        {"postgresql_where": sa.text("incident_id IS NULL")},
    ),
    ("alerts", "labels", ["labels"], LABELS),
    (
        "incident_events",
        "acknowledged",
        ["incident_id", "at"],
        {"postgresql_where": sa.text("kind = 'acknowledged'")},
    ),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        for table, name, columns, options in INDEXES:
            index = f"ix_{table}_{name}"
            op.drop_index(index, table, if_exists=True, postgresql_concurrently=True)
            op.create_index(index, table, columns, postgresql_concurrently=True, **options)


def downgrade() -> None:
    for table, name, _, _ in INDEXES:
        op.drop_index(f"ix_{table}_{name}", table)
