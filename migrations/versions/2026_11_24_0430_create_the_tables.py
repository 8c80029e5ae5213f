"""Create the tables of the paging path.

The first migration: teams and whom they page, services and their integrations, alerts,
incidents with their timeline, the timers of the climb, notifications and pages.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence("incident_number")))
    op.create_table(
        "teams",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
    )
    op.create_index("uq_teams_external_id", "teams", ["external_id"], unique=True)
    op.create_index("uq_teams_name", "teams", [sa.literal_column("lower(name)")], unique=True)
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False, comment="IANA name"),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index("uq_users_email", "users", [sa.literal_column("lower(email)")], unique=True)
    op.create_index("uq_users_external_id", "users", ["external_id"], unique=True)
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_digest", sa.Text(), nullable=False, comment="SHA-256, hexadecimal"),
        sa.Column(
            "hint", sa.Text(), nullable=False, comment="first characters, to tell keys apart"
        ),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "team_ids",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="NULL: every team",
        ),
        sa.Column(
            "user_id", sa.Uuid(), nullable=True, comment="the person who acts through the key"
        ),
        sa.Column("is_bootstrap", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("jsonb_array_length(scopes) > 0", name=op.f("ck_api_keys_scopes_given")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_index("uq_api_keys_key_digest", "api_keys", ["key_digest"], unique=True)
    op.create_index(op.f("ix_api_keys_user_id"), "api_keys", ["user_id"], unique=False)
    op.create_table(
        "contact_methods",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False, comment="URL, mail address, or ntfy topic"),
        sa.Column(
            "bundle",
            sa.Boolean(),
            nullable=False,
            comment="false: one page an incident, no spacing",
        ),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("signing_secret", sa.Text(), nullable=True, comment="Standard Webhooks, whsec_…"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('webhook', 'email', 'ntfy', 'console')",
            name=op.f("ck_contact_methods_kind_known"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_contact_methods_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_methods")),
    )
    op.create_index(
        op.f("ix_contact_methods_user_id"), "contact_methods", ["user_id"], unique=False
    )
    op.create_index(
        "uq_contact_methods_fallback_address",
        "contact_methods",
        ["kind", "address"],
        unique=True,
        postgresql_where=sa.text("user_id IS NULL"),
    )
    op.create_index(
        "uq_contact_methods_user_address",
        "contact_methods",
        ["user_id", "kind", "address"],
        unique=True,
    )
    op.create_table(
        "escalation_policies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column(
            "repeat_count",
            sa.Integer(),
            nullable=False,
            comment="how many times the levels run in all",
        ),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("ack_timeout_minutes", sa.Integer(), nullable=True, comment="NULL: off"),
        sa.Column("exhausted_reminder_minutes", sa.Integer(), nullable=True, comment="NULL: off"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "ack_timeout_minutes >= 1", name=op.f("ck_escalation_policies_ack_timeout_positive")
        ),
        sa.CheckConstraint(
            "exhausted_reminder_minutes >= 1", name=op.f("ck_escalation_policies_reminder_positive")
        ),
        sa.CheckConstraint(
            "repeat_count BETWEEN 1 AND 9", name=op.f("ck_escalation_policies_repeat_count_range")
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_escalation_policies_team_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escalation_policies")),
    )
    op.create_index(
        op.f("ix_escalation_policies_team_id"), "escalation_policies", ["team_id"], unique=False
    )
    op.create_index(
        "ix_escalation_policies_team_id_is_default",
        "escalation_policies",
        ["team_id", "is_default"],
        unique=False,
    )
    op.create_index(
        "uq_escalation_policies_default",
        "escalation_policies",
        ["team_id"],
        unique=True,
        postgresql_where=sa.text("is_default"),
    )
    op.create_index(
        "uq_escalation_policies_name",
        "escalation_policies",
        ["team_id", sa.literal_column("lower(name)")],
        unique=True,
    )
    op.create_table(
        "team_memberships",
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('manager', 'responder', 'observer')",
            name=op.f("ck_team_memberships_role_known"),
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_team_memberships_team_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_team_memberships_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("team_id", "user_id", name=op.f("pk_team_memberships")),
    )
    op.create_index(
        op.f("ix_team_memberships_user_id"), "team_memberships", ["user_id"], unique=False
    )
    op.create_table(
        "escalation_levels",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("escalation_policy_id", sa.Uuid(), nullable=False),
        sa.Column("level_number", sa.Integer(), nullable=False),
        sa.Column("target_type", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=True, comment="NULL for entire_team"),
        sa.Column(
            "additional_targets",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="[{target_type, target_id}]",
        ),
        sa.Column("timeout_minutes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(target_type = 'entire_team') = (target_id IS NULL)",
            name=op.f("ck_escalation_levels_target_given"),
        ),
        sa.CheckConstraint(
            "target_type IN ('user', 'schedule', 'entire_team')",
            name=op.f("ck_escalation_levels_target_type_known"),
        ),
        sa.CheckConstraint(
            "timeout_minutes >= CASE target_type WHEN 'entire_team' THEN 3 ELSE 1 END",
            name=op.f("ck_escalation_levels_timeout_minimum"),
        ),
        sa.CheckConstraint(
            "level_number BETWEEN 1 AND 10", name=op.f("ck_escalation_levels_level_number_range")
        ),
        sa.ForeignKeyConstraint(
            ["escalation_policy_id"],
            ["escalation_policies.id"],
            name=op.f("fk_escalation_levels_escalation_policy_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escalation_levels")),
    )
    op.create_index(
        "uq_escalation_levels_level_number",
        "escalation_levels",
        ["escalation_policy_id", "level_number"],
        unique=True,
    )
    op.create_table(
        "pages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("contact_method_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False, comment="highest member's"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "channel IN ('webhook', 'email', 'ntfy', 'console')",
            name=op.f("ck_pages_channel_known"),
        ),
        sa.CheckConstraint(
            "priority IN ('critical', 'high', 'medium', 'low', 'info')",
            name=op.f("ck_pages_priority_known"),
        ),
        sa.CheckConstraint(
            "status IN ('sending', 'waiting', 'sent', 'failed', 'cancelled')",
            name=op.f("ck_pages_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["contact_method_id"],
            ["contact_methods.id"],
            name=op.f("fk_pages_contact_method_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_pages_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pages")),
    )
    op.create_index(op.f("ix_pages_user_id"), "pages", ["user_id"], unique=False)
    op.create_index(
        "ix_pages_contact_method_id_created_at",
        "pages",
        ["contact_method_id", "created_at"],
        unique=False,
    )
    op.create_index(
        "ix_pages_unfinished",
        "pages",
        ["status", "next_attempt_at", "lease_until"],
        unique=False,
        postgresql_where=sa.text("status IN ('sending', 'waiting')"),
    )
    op.create_table(
        "services",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column(
            "escalation_policy_id", sa.Uuid(), nullable=True, comment="NULL: the team's default"
        ),
        sa.Column("grouping", sa.Text(), nullable=False),
        sa.Column(
            "grouping_labels",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="for grouping labels",
        ),
        sa.Column("page_from", sa.Text(), nullable=False, comment="below it an incident is quiet"),
        sa.Column(
            "severity_map",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="lower-case severity text: priority; wins over the built-in map",
        ),
        sa.Column("auto_resolve", sa.Boolean(), nullable=False),
        sa.Column("reopen_window_minutes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "grouping <> 'labels' OR jsonb_array_length(grouping_labels) > 0",
            name=op.f("ck_services_grouping_labels_given"),
        ),
        sa.CheckConstraint(
            "grouping IN ('alert', 'group', 'labels')", name=op.f("ck_services_grouping_known")
        ),
        sa.CheckConstraint(
            "page_from IN ('critical', 'high', 'medium', 'low', 'info')",
            name=op.f("ck_services_page_from_known"),
        ),
        sa.CheckConstraint(
            "reopen_window_minutes >= 0", name=op.f("ck_services_reopen_window_positive")
        ),
        sa.ForeignKeyConstraint(
            ["escalation_policy_id"],
            ["escalation_policies.id"],
            name=op.f("fk_services_escalation_policy_id"),
        ),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_services_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_services")),
    )
    op.create_index(
        op.f("ix_services_escalation_policy_id"), "services", ["escalation_policy_id"], unique=False
    )
    op.create_index(op.f("ix_services_team_id"), "services", ["team_id"], unique=False)
    op.create_index("uq_services_external_id", "services", ["external_id"], unique=True)
    op.create_index(
        "uq_services_name", "services", ["team_id", sa.literal_column("lower(name)")], unique=True
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "number",
            sa.BigInteger(),
            server_default=sa.text("nextval('incident_number')"),
            nullable=False,
        ),
        sa.Column(
            "fingerprint", sa.Text(), nullable=False, comment="deduplication key within the service"
        ),
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("escalation_policy_id", sa.Uuid(), nullable=True),
        sa.Column("escalation_plan", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("escalation_epoch", sa.Integer(), nullable=False),
        sa.Column("current_level", sa.Integer(), nullable=False),
        sa.Column("current_repeat", sa.Integer(), nullable=False),
        sa.Column("assigned_user_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("acknowledged_priority", sa.Text(), nullable=True),
        sa.Column(
            "is_quiet", sa.Boolean(), nullable=False, comment="below its service's page_from"
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("labels", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("annotations", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("alert_count", sa.Integer(), nullable=False),
        sa.Column("firing_count", sa.Integer(), nullable=False),
        sa.Column("flap_count", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_escalated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exhausted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("assignee_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True, comment="alerts, or the actor"),
        sa.Column("resolved_until_clear", sa.Boolean(), nullable=False),
        sa.Column("previous_incident_id", sa.Uuid(), nullable=True),
        sa.Column(
            "event_count", sa.Integer(), nullable=False, comment="the last sequence of its timeline"
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "acknowledged_priority IN ('critical', 'high', 'medium', 'low', 'info')",
            name=op.f("ck_incidents_acknowledged_priority_known"),
        ),
        sa.CheckConstraint(
            "priority IN ('critical', 'high', 'medium', 'low', 'info')",
            name=op.f("ck_incidents_priority_known"),
        ),
        sa.CheckConstraint(
            "status IN ('OPEN', 'ACKNOWLEDGED', 'RESOLVED', 'CLOSED')",
            name=op.f("ck_incidents_status_known"),
        ),
        sa.CheckConstraint(
            "alert_count >= 0 AND firing_count >= 0", name=op.f("ck_incidents_counts_positive")
        ),
        sa.ForeignKeyConstraint(
            ["assigned_user_id"],
            ["users.id"],
            name=op.f("fk_incidents_assigned_user_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["escalation_policy_id"],
            ["escalation_policies.id"],
            name=op.f("fk_incidents_escalation_policy_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["previous_incident_id"],
            ["incidents.id"],
            name=op.f("fk_incidents_previous_incident_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["service_id"], ["services.id"], name=op.f("fk_incidents_service_id")
        ),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_incidents_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_incidents_assigned_user_id_status",
        "incidents",
        ["assigned_user_id", "status"],
        unique=False,
    )
    op.create_index(
        op.f("ix_incidents_escalation_policy_id"),
        "incidents",
        ["escalation_policy_id"],
        unique=False,
    )
    op.create_index(
        "ix_incidents_fingerprint_status_created_at",
        "incidents",
        ["fingerprint", "status", "created_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_incidents_previous_incident_id"),
        "incidents",
        ["previous_incident_id"],
        unique=False,
    )
    op.create_index(
        "ix_incidents_service_id_fingerprint",
        "incidents",
        ["service_id", "fingerprint", "created_at"],
        unique=False,
    )
    op.create_index(
        "ix_incidents_status_created_at", "incidents", ["status", "created_at"], unique=False
    )
    op.create_index("ix_incidents_team_id_status", "incidents", ["team_id", "status"], unique=False)
    op.create_index(
        "uq_incidents_active",
        "incidents",
        ["service_id", "fingerprint"],
        unique=True,
        postgresql_where=sa.text("status IN ('OPEN', 'ACKNOWLEDGED')"),
    )
    op.create_index("uq_incidents_number", "incidents", ["number"], unique=True)
    op.create_table(
        "integrations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("key_digest", sa.Text(), nullable=False, comment="SHA-256, hexadecimal"),
        sa.Column("key_hint", sa.Text(), nullable=False),
        sa.Column("previous_key_digest", sa.Text(), nullable=True),
        sa.Column("previous_key_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('alertmanager')", name=op.f("ck_integrations_kind_known")),
        sa.ForeignKeyConstraint(
            ["service_id"], ["services.id"], name=op.f("fk_integrations_service_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_integrations")),
    )
    op.create_index(
        op.f("ix_integrations_service_id"), "integrations", ["service_id"], unique=False
    )
    op.create_index("uq_integrations_key_digest", "integrations", ["key_digest"], unique=True)
    op.create_index(
        "uq_integrations_name",
        "integrations",
        ["service_id", sa.literal_column("lower(name)")],
        unique=True,
    )
    op.create_index(
        "uq_integrations_previous_key_digest", "integrations", ["previous_key_digest"], unique=True
    )
    op.create_table(
        "page_attempts",
        sa.Column("page_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "finished_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="NULL: its outcome is unknown",
        ),
        sa.Column("delivered", sa.Boolean(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True, comment="the channel's answer, or the error"),
        sa.ForeignKeyConstraint(
            ["page_id"], ["pages.id"], name=op.f("fk_page_attempts_page_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("page_id", "number", name=op.f("pk_page_attempts")),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=True),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False, comment="the sender's"),
        sa.Column(
            "incident_fingerprint",
            sa.Text(),
            nullable=False,
            comment="the incident's key it folds under",
        ),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("starts_at_estimated", sa.Boolean(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("labels", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("annotations", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=True, comment="the sender's text"),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("generator_url", sa.Text(), nullable=False),
        sa.Column("received_count", sa.Integer(), nullable=False),
        sa.Column("first_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "resolved_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when its end was stored",
        ),
        sa.Column("refire_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "priority IN ('critical', 'high', 'medium', 'low', 'info')",
            name=op.f("ck_alerts_priority_known"),
        ),
        sa.CheckConstraint(
            "refire_at IS NULL OR status = 'resolved'", name=op.f("ck_alerts_refire_when_resolved")
        ),
        sa.CheckConstraint("status IN ('firing', 'resolved')", name=op.f("ck_alerts_status_known")),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incidents.id"],
            name=op.f("fk_alerts_incident_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.id"], name=op.f("fk_alerts_integration_id")
        ),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_alerts_service_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(op.f("ix_alerts_incident_id"), "alerts", ["incident_id"], unique=False)
    op.create_index(
        "ix_alerts_refire",
        "alerts",
        ["refire_at"],
        unique=False,
        postgresql_where=sa.text("refire_at IS NOT NULL"),
    )
    op.create_index(
        "uq_alerts_episode", "alerts", ["integration_id", "fingerprint", "starts_at"], unique=True
    )
    op.create_index(
        "uq_alerts_firing",
        "alerts",
        ["integration_id", "fingerprint"],
        unique=True,
        postgresql_where=sa.text("status = 'firing'"),
    )
    op.create_table(
        "escalation_jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "arq_job_id", sa.Text(), nullable=False, comment="the row's own id: never used twice"
        ),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("scheduled_repeat", sa.Integer(), nullable=False),
        sa.Column("scheduled_level", sa.Integer(), nullable=False),
        sa.Column("scheduled_for", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True, comment="paged, skipped, exhausted, …"),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("executed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('step', 'ack_timeout', 'snooze_end', 'recheck', 'reminder')",
            name=op.f("ck_escalation_jobs_kind_known"),
        ),
        sa.CheckConstraint(
            "completed = (executed_at IS NOT NULL)",
            name=op.f("ck_escalation_jobs_completed_when_executed"),
        ),
        sa.CheckConstraint(
            "executed_at IS NULL OR cancelled_at IS NULL",
            name=op.f("ck_escalation_jobs_never_executed_and_cancelled"),
        ),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incidents.id"],
            name=op.f("fk_escalation_jobs_incident_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escalation_jobs")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_escalation_jobs_due",
        "escalation_jobs",
        ["scheduled_for"],
        unique=False,
        postgresql_where=sa.text("NOT completed AND cancelled_at IS NULL"),
    )
    op.create_index(
        "ix_escalation_jobs_incident_id_completed",
        "escalation_jobs",
        ["incident_id", "completed"],
        unique=False,
    )
    op.create_index("uq_escalation_jobs_arq_job_id", "escalation_jobs", ["arq_job_id"], unique=True)
    op.create_index(
        "uq_escalation_jobs_pending",
        "escalation_jobs",
        ["incident_id"],
        unique=True,
        postgresql_where=sa.text("NOT completed AND cancelled_at IS NULL"),
    )
    op.create_index(
        "uq_escalation_jobs_step",
        "escalation_jobs",
        ["incident_id", "epoch", "scheduled_repeat", "scheduled_level"],
        unique=True,
        postgresql_where=sa.text("kind = 'step' AND cancelled_at IS NULL"),
    )
    op.create_table(
        "incident_events",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column(
            "xact",
            sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=False,
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "actor",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="{type, id, name}",
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incidents.id"],
            name=op.f("fk_incident_events_incident_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_incident_events")),
    )
    op.create_index(
        "uq_incident_events_sequence", "incident_events", ["incident_id", "sequence"], unique=True
    )
    op.create_table(
        "routing_rules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("matchers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["integration_id"],
            ["integrations.id"],
            name=op.f("fk_routing_rules_integration_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["service_id"], ["services.id"], name=op.f("fk_routing_rules_service_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_routing_rules")),
    )
    op.create_index(
        op.f("ix_routing_rules_service_id"), "routing_rules", ["service_id"], unique=False
    )
    op.create_index(
        "uq_routing_rules_position", "routing_rules", ["integration_id", "position"], unique=True
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=False),
        sa.Column("escalation_job_id", sa.Uuid(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("contact_method_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("page_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('page', 'update')", name=op.f("ck_notifications_kind_known")),
        sa.CheckConstraint(
            "status IN ('pending', 'sending', 'sent', 'failed', 'cancelled')",
            name=op.f("ck_notifications_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["contact_method_id"],
            ["contact_methods.id"],
            name=op.f("fk_notifications_contact_method_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["escalation_job_id"],
            ["escalation_jobs.id"],
            name=op.f("fk_notifications_escalation_job_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incidents.id"],
            name=op.f("fk_notifications_incident_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["page_id"], ["pages.id"], name=op.f("fk_notifications_page_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notifications_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_notifications_due",
        "notifications",
        ["contact_method_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index("ix_notifications_incident_id", "notifications", ["incident_id"], unique=False)
    op.create_index(op.f("ix_notifications_page_id"), "notifications", ["page_id"], unique=False)
    op.create_index(op.f("ix_notifications_user_id"), "notifications", ["user_id"], unique=False)
    op.create_index(
        "uq_notifications_recipient",
        "notifications",
        ["escalation_job_id", "user_id", "contact_method_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("escalation_job_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "uq_notifications_recipient",
        table_name="notifications",
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("escalation_job_id IS NOT NULL"),
    )
    op.drop_index(op.f("ix_notifications_user_id"), table_name="notifications")
    op.drop_index(op.f("ix_notifications_page_id"), table_name="notifications")
    op.drop_index("ix_notifications_incident_id", table_name="notifications")
    op.drop_index(
        "ix_notifications_due",
        table_name="notifications",
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.drop_table("notifications")
    op.drop_index("uq_routing_rules_position", table_name="routing_rules")
    op.drop_index(op.f("ix_routing_rules_service_id"), table_name="routing_rules")
    op.drop_table("routing_rules")
    op.drop_index("uq_incident_events_sequence", table_name="incident_events")
    op.drop_table("incident_events")
    op.drop_index(
        "uq_escalation_jobs_step",
        table_name="escalation_jobs",
        postgresql_where=sa.text("kind = 'step' AND cancelled_at IS NULL"),
    )
    op.drop_index(
        "uq_escalation_jobs_pending",
        table_name="escalation_jobs",
        postgresql_where=sa.text("NOT completed AND cancelled_at IS NULL"),
    )
    op.drop_index("uq_escalation_jobs_arq_job_id", table_name="escalation_jobs")
    op.drop_index("ix_escalation_jobs_incident_id_completed", table_name="escalation_jobs")
    op.drop_index(
        "ix_escalation_jobs_due",
        table_name="escalation_jobs",
        postgresql_where=sa.text("NOT completed AND cancelled_at IS NULL"),
    )
    op.drop_table("escalation_jobs")
    op.drop_index(
        "uq_alerts_firing", table_name="alerts", postgresql_where=sa.text("status = 'firing'")
    )
    op.drop_index("uq_alerts_episode", table_name="alerts")
    op.drop_index(
        "ix_alerts_refire", table_name="alerts", postgresql_where=sa.text("refire_at IS NOT NULL")
    )
    op.drop_index(op.f("ix_alerts_incident_id"), table_name="alerts")
    op.drop_table("alerts")
    op.drop_table("page_attempts")
    op.drop_index("uq_integrations_previous_key_digest", table_name="integrations")
    op.drop_index("uq_integrations_name", table_name="integrations")
    op.drop_index("uq_integrations_key_digest", table_name="integrations")
    op.drop_index(op.f("ix_integrations_service_id"), table_name="integrations")
    op.drop_table("integrations")
    op.drop_index("uq_incidents_number", table_name="incidents")
    op.drop_index(
        "uq_incidents_active",
        table_name="incidents",
        postgresql_where=sa.text("status IN ('OPEN', 'ACKNOWLEDGED')"),
    )
    op.drop_index("ix_incidents_team_id_status", table_name="incidents")
    op.drop_index("ix_incidents_status_created_at", table_name="incidents")
    op.drop_index("ix_incidents_service_id_fingerprint", table_name="incidents")
    op.drop_index(op.f("ix_incidents_previous_incident_id"), table_name="incidents")
    op.drop_index("ix_incidents_fingerprint_status_created_at", table_name="incidents")
    op.drop_index(op.f("ix_incidents_escalation_policy_id"), table_name="incidents")
    op.drop_index("ix_incidents_assigned_user_id_status", table_name="incidents")
    op.drop_table("incidents")
    op.drop_index("uq_services_name", table_name="services")
    op.drop_index("uq_services_external_id", table_name="services")
    op.drop_index(op.f("ix_services_team_id"), table_name="services")
    op.drop_index(op.f("ix_services_escalation_policy_id"), table_name="services")
    op.drop_table("services")
    op.drop_index(
        "ix_pages_unfinished",
        table_name="pages",
        postgresql_where=sa.text("status IN ('sending', 'waiting')"),
    )
    op.drop_index("ix_pages_contact_method_id_created_at", table_name="pages")
    op.drop_table("pages")
    op.drop_index("uq_escalation_levels_level_number", table_name="escalation_levels")
    op.drop_table("escalation_levels")
    op.drop_index(op.f("ix_team_memberships_user_id"), table_name="team_memberships")
    op.drop_table("team_memberships")
    op.drop_index("uq_escalation_policies_name", table_name="escalation_policies")
    op.drop_index(
        "uq_escalation_policies_default",
        table_name="escalation_policies",
        postgresql_where=sa.text("is_default"),
    )
    op.drop_index("ix_escalation_policies_team_id_is_default", table_name="escalation_policies")
    op.drop_index(op.f("ix_escalation_policies_team_id"), table_name="escalation_policies")
    op.drop_table("escalation_policies")
    op.drop_index("uq_contact_methods_user_address", table_name="contact_methods")
    op.drop_index(
        "uq_contact_methods_fallback_address",
        table_name="contact_methods",
        postgresql_where=sa.text("user_id IS NULL"),
    )
    op.drop_index(op.f("ix_contact_methods_user_id"), table_name="contact_methods")
    op.drop_table("contact_methods")
    op.drop_index("uq_api_keys_key_digest", table_name="api_keys")
    op.drop_table("api_keys")
    op.drop_index("uq_users_external_id", table_name="users")
    op.drop_index("uq_users_email", table_name="users")
    op.drop_table("users")
    op.drop_index("uq_teams_name", table_name="teams")
    op.drop_index("uq_teams_external_id", table_name="teams")
    op.drop_table("teams")
    op.execute(sa.schema.DropSequence(sa.Sequence("incident_number")))
