"""Let people be reached by Slack, Telegram, SMS, voice and Apprise.

The previous release serves on, as long as nobody makes a contact method of a new kind: it could
not read that. The constraints are validated while writers go on; one that was interrupted is
made anew by the next attempt.

`downgrade` deletes contact methods of the new kinds, with what was sent to them.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BEFORE = ("webhook", "email", "ntfy")
ADDED = ("slack", "telegram", "sms", "voice", "apprise")
LAST = ("console",)
COMMENT_BEFORE = "URL, mail address, or ntfy topic"
COMMENT = "URL, mail address, topic, chat, phone number, or the name of an Apprise URL"


def upgrade() -> None:
    op.alter_column("contact_methods", "address", comment=COMMENT, existing_comment=COMMENT_BEFORE)
    with op.get_context().autocommit_block():
        hold("contact_methods", "kind", (*BEFORE, *ADDED, *LAST))
        hold("pages", "channel", (*BEFORE, *ADDED, *LAST))


def downgrade() -> None:
    op.alter_column("contact_methods", "address", comment=COMMENT_BEFORE, existing_comment=COMMENT)
    op.execute(f"DELETE FROM contact_methods WHERE kind IN ({listed(ADDED)})")  # noqa: S608
    hold("contact_methods", "kind", (*BEFORE, *LAST))
    hold("pages", "channel", (*BEFORE, *LAST))


def hold(table: str, column: str, values: tuple[str, ...]) -> None:
    """Put a CHECK in the place of the one there is."""
    name = f"ck_{table}_{column}_known"
    op.execute(
        f"ALTER TABLE {table} DROP CONSTRAINT {name}, "
        f"ADD CONSTRAINT {name} CHECK ({column} IN ({listed(values)})) NOT VALID"
    )
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def listed(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)
