"""Keep a caller's own request id, and the trace that a page or an event belongs to.

Columns that may be empty, which the previous release does not know. The audit log's `request_id` is
a UUID, which a caller's own id need not be; to make it text would rewrite the table, and the
previous release could not read what is in it. So the id goes into a column of its own, and
`request_id` is dropped in a later release.

Traces are on the rows that outlive a request: a queue may be flushed.
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

COLUMNS = (
    ("audit_log", "call_id", "id of the request, as its caller or we gave it"),
    ("incident_events", "trace_context", "of what has changed it"),
    ("notifications", "trace_context", "of what has asked for it"),
    ("pages", "trace_context", "that of its first member"),
    ("webhook_deliveries", "trace_context", "that of the event"),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for table, column, meaning in COLUMNS:
            op.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column} TEXT")
            op.execute(f"COMMENT ON COLUMN {table}.{column} IS '{meaning}'")


def downgrade() -> None:
    for table, column, _ in reversed(COLUMNS):
        op.drop_column(table, column)
