"""Every metric, declared on one page."""

from prometheus_client import Counter, Gauge, Histogram

ALERTS = Counter("incident_alerts_total", "Alerts received, by what became of them.", ["outcome"])
ALERTS_REJECTED = Counter(
    "incident_alerts_rejected_total", "Alerts that could not be stored, by reason.", ["reason"]
)
INGEST_SECONDS = Histogram("incident_ingest_seconds", "Time to store one webhook.")
INCIDENTS = Counter("incident_changes_total", "Changes of incidents, by kind.", ["kind"])
STEPS = Counter("incident_escalation_steps_total", "Timers that ran, by outcome.", ["outcome"])
STEP_LATENESS = Histogram(
    "incident_escalation_lateness_seconds",
    "How long after its due time a timer ran.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
NOBODY_TO_PAGE = Counter(
    "incident_nobody_to_page_total", "A whole pass of a policy, or no policy, paged nobody."
)
EXHAUSTED = Counter("incident_exhausted_total", "Policies that ran out without an answer.")
PAGES = Counter("incident_pages_total", "Attempts to hand over a page.", ["channel", "result"])
PAGES_FAILED = Counter(
    "incident_pages_failed_total", "Pages given up after the last attempt.", ["channel"]
)
WEBHOOKS = Counter(
    "incident_webhooks_total", "Attempts to deliver an event to a subscription.", ["result"]
)
STREAMS = Gauge("incident_streams", "Streams of changes that are open in this process.")
STREAMS_ENDED = Counter("incident_streams_ended_total", "Streams that ended, by why.", ["reason"])
SWEEP_FAILURES = Counter("incident_sweep_failures_total", "Sweeps that failed.", ["sweep"])
SWEEP_WORK = Counter(
    "incident_sweep_work_total", "Overdue work that a sweep found and did.", ["sweep"]
)
SWEEP_LAST_SUCCESS = Gauge(
    "incident_sweep_last_success_timestamp_seconds", "When a sweep last succeeded.", ["sweep"]
)
CLOCK_OFFSET = Gauge(
    "incident_clock_offset_seconds", "PostgreSQL's clock minus this process's clock."
)
HEARTBEATS = Counter(
    "incident_heartbeat_calls_total", "Calls of the dead-man's switch, by result.", ["result"]
)
CANARY_SECONDS = Histogram(
    "incident_canary_seconds",
    "From the instant a canary was due to its record.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300),
)

# What follows is asked for when Prometheus asks; NaN: it could not be found out.
DATABASE_UP = Gauge("incident_database_up", "Whether this process reads from PostgreSQL: 1 or 0.")
POOL_SIZE = Gauge(
    "incident_database_pool_size", "Connections to PostgreSQL that this process may have."
)
POOL_IN_USE = Gauge("incident_database_pool_in_use", "Those of them that are at work.")
QUEUE_UP = Gauge("incident_queue_up", "Whether this process reaches Redis: 1 or 0.")
QUEUE_DEPTH = Gauge("incident_queue_depth", "Jobs in the queue, whether due, running or not.")
ACTIVE_INCIDENTS = Gauge(
    "incident_active_incidents",
    "Incidents that are open or acknowledged.",
    ["status", "priority"],
)
EXHAUSTED_INCIDENTS = Gauge(
    "incident_exhausted_incidents",
    "Open incidents whose policy ran out and that nobody has answered or snoozed.",
)
HELD_INCIDENTS = Gauge(
    "incident_held_incidents", "Open incidents that maintenance windows hold: nobody is paged."
)
MAINTENANCE_WINDOWS = Gauge("incident_maintenance_windows", "Maintenance windows that run.")
UNPAGED_INCIDENTS = Gauge(
    "incident_nobody_to_page_incidents",
    "Incidents that wait for somebody to page: a whole pass, or no policy, paged nobody.",
)
OVERDUE_TIMER = Gauge(
    "incident_escalation_overdue_seconds",
    "How late the longest overdue timer is that has not run; 0: none is.",
)
OVERDUE_PAGE = Gauge(
    "incident_pages_overdue_seconds",
    "How late the longest overdue page is that is not being sent; 0: none is.",
)
PAUSED_SUBSCRIPTIONS = Gauge(
    "incident_webhook_subscriptions_paused",
    "Webhook subscriptions that the service stopped because their receiver failed for long.",
)
CANARY_AGE = Gauge(
    "incident_canary_age_seconds", "How long ago a canary last came through; +Inf: none ever did."
)
REQUESTS_LIMITED = Counter(
    "incident_http_requests_limited_total",
    "Requests answered with 429, by key or by address.",
    ["by"],
)
HTTP_SECONDS = Histogram(
    "incident_http_request_seconds",
    "Time to answer a request, by the route's template; `status` is 2xx, 4xx, …",
    ["route", "method", "status"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
