"""Compose the API: routers, middleware, error handlers."""

import asyncio
from functools import cached_property, partial
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from incident_service.alerts import api as alerts
from incident_service.alerts import senders
from incident_service.alerts.api import shortcut
from incident_service.alerts.intake import Intake
from incident_service.alerts.limits import limits_of
from incident_service.alerts.schemas import AlertmanagerWebhook
from incident_service.answering import api as answering
from incident_service.answering.edge import InWords
from incident_service.catalog import api as catalog
from incident_service.catalog.queries import say_which_services_use
from incident_service.configuration.in_use import (
    PEOPLE_HOOKS,
    TEAM_CHANNEL_IN_USE,
    USER_IN_USE,
    USER_ON_CALL,
)
from incident_service.core.db import DATABASE_AWAY, Transactions
from incident_service.core.runtime import LARGE_OFFSET_S, Runtime
from incident_service.core.sealing import Sealer
from incident_service.escalation import api as escalation
from incident_service.escalation import unreached
from incident_service.heartbeat.fitness import why_overdue, why_stale
from incident_service.heartbeat.gauges import measure
from incident_service.heartbeat.queries import find_canary_age, load_lateness
from incident_service.hindsight import api as hindsight
from incident_service.incidents import api as incidents
from incident_service.incidents.queries import count_active_on_policy
from incident_service.incidents.stream.news import Streams
from incident_service.notifications import api as notifications
from incident_service.notifications.provider_status import STATUSES
from incident_service.notifications.queries import say_what_waits_for_address
from incident_service.observability import health, metrics
from incident_service.observability.health import Measure
from incident_service.policies import api as policies
from incident_service.policies.hooks import PolicyHooks
from incident_service.policies.queries import say_who_names_schedule
from incident_service.response import api as response
from incident_service.response.actions import restart_on_policy
from incident_service.schedules import api as schedules
from incident_service.settings import Settings
from incident_service.subscriptions import api as subscriptions
from incident_service.teams import api as teams
from incident_service.teams.queries import has_unopened_addresses
from incident_service.teams.refusals import Refusals
from incident_service.web import conditional, readiness
from incident_service.web.deprecation import Deprecations
from incident_service.web.documentation import add_documentation
from incident_service.web.lists.query_parameters import refuse_unknown_parameters
from incident_service.web.middleware import limiting
from incident_service.web.middleware.cross_origin import let_in_origins
from incident_service.web.middleware.guards import guarded, guards_of
from incident_service.web.middleware.identity import RequestId
from incident_service.web.middleware.limiting import RateLimit
from incident_service.web.middleware.methods import Methods
from incident_service.web.middleware.our_fault import OurFault
from incident_service.web.middleware.replaying import ReplayOnConflict
from incident_service.web.middleware.request_times import RequestTimes
from incident_service.web.openapi import contents, document
from incident_service.web.openapi.examples.requests import REQUESTS
from incident_service.web.openapi.examples.responses import RESPONSES
from incident_service.web.openapi.older import to_3_0
from incident_service.web.problems import Problem, install_error_handlers
from incident_service.web.readiness import Degradation, Degradations

ABOUT = """\
The paging core behind Prometheus Alertmanager: alerts become incidents, incidents page people
level by level until somebody acknowledges.

People and services send an API key as `Authorization: Bearer isk_…`. Its scopes are `read`,
`respond` (the verbs on incidents), `manage` (teams, policies, services, integrations) and `admin`.
Senders of alerts have an integration's key, `isi_…`, which can only ingest.

Lists come in pages: follow `Link: rel="next"`, or pass `next_cursor` as `cursor` until it is null.
Unknown query parameters are refused (422). Errors are `application/problem+json` with a stable
`code`; what is not yours is not found (404). Instants are RFC 3339, in UTC.

Send a POST with an `Idempotency-Key`, and it may be sent again without being done twice.
A single thing comes with an `ETag`: send it as `If-None-Match` to be spared what you have (304), as
`If-Match` to change only what you saw (412). PATCH is a JSON merge patch, sent as
`application/merge-patch+json` or as `application/json`.
"""
# Written or read by hand, so that FastAPI does not know them.
UNROUTED = document.schemas_of((Problem, "serialization"), (AlertmanagerWebhook, "validation"))
DOMAINS = (
    teams,
    schedules,
    policies,
    catalog,
    incidents,
    notifications,
    escalation,
    response,
    alerts,
    hindsight,
    subscriptions,
)


class Api(FastAPI):
    """The API, with a way past its middleware and routes for what comes by the thousand."""

    _document: dict[str, Any] | None = None

    def openapi(self) -> dict[str, Any]:
        """Return the document that clients are generated from."""
        if self._document is None:
            self._document = document.finish(super().openapi(), UNROUTED, REQUESTS | RESPONSES)
            conditional.describe(self._document)
        return self._document

    @cached_property
    def older_document(self) -> dict[str, Any]:
        """The same document in OpenAPI 3.0, for generators that do not read 3.1."""
        return to_3_0(self.openapi())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        scope["app"] = self
        await WITH_ID(scope, receive, send)


async def take(scope: Scope, receive: Receive, send: Send) -> None:
    """Handle one request, the short way or the usual one."""
    if shortcut.is_for(scope):
        await shortcut.handle(scope, receive, send)
    else:
        app: FastAPI = scope["app"]
        await FastAPI.__call__(app, scope, receive, guarded(scope, send, app.state.guards))


# Around everything: an answer that says that something went wrong has its id as well.
WITH_ID = RequestId(take)


def create_app(
    settings: Settings,
    transactions: Transactions,
    degradations: Degradations = readiness.nothing_degraded,
    measure: Measure = health.measure_nothing,
) -> FastAPI:
    """Build the API; nothing is connected or started."""
    app = Api(
        title="incident-service",
        version=version("incident-service"),
        description=ABOUT,
        generate_unique_id_function=operation_id,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        openapi_tags=contents.listed(),
        dependencies=[Depends(refuse_unknown_parameters)],
    )
    equip(app, settings, transactions)
    app.state.degradations = degradations
    app.state.measure = measure
    app.state.user_on_call = USER_ON_CALL
    app.state.user_in_use = USER_IN_USE
    app.state.schedule_in_use = (say_who_names_schedule,)
    app.state.contact_method_in_use = (say_what_waits_for_address,)
    app.state.team_channel_in_use = TEAM_CHANNEL_IN_USE
    app.state.people_hooks = PEOPLE_HOOKS
    app.state.given_up = unreached.go_on
    for channel in STATUSES:  # from 0, so that the first failure is an increase
        metrics.PAGES_FAILED.labels(channel.value)
    app.state.policy_hooks = PolicyHooks(
        count_active_on_policy, restart_on_policy, say_which_services_use
    )
    router = APIRouter(prefix="/v1")
    for domain in DOMAINS:
        router.include_router(domain.router)
    app.include_router(router)
    app.include_router(answering.router)
    app.include_router(health.router)
    app.include_router(readiness.router)
    add_documentation(app)
    app.add_route("/openapi-3.0.json", show_older_document, include_in_schema=False)
    install_error_handlers(app, all_conflicts())
    app.add_middleware(Deprecations)
    app.add_middleware(RequestTimes)
    app.add_middleware(ReplayOnConflict)
    app.add_middleware(InWords)
    app.add_middleware(OurFault)
    app.add_middleware(RateLimit)
    app.add_middleware(Methods)
    let_in_origins(app, settings)
    return app


def equip(app: FastAPI, settings: Settings, transactions: Transactions) -> None:
    """Give the API what it works with."""
    app.state.settings = settings
    app.state.transactions = transactions
    app.state.guards = guards_of(settings.base_url)
    app.state.limits = limiting.limits_of(settings)
    app.state.intake = Intake(transactions, limits_of(settings))
    app.state.streams = Streams(transactions, settings.streams)
    app.state.note_refusal = Refusals(transactions, find_key).note


async def show_older_document(request: Request) -> JSONResponse:
    """Show the document in OpenAPI 3.0."""
    app: Api = request.app
    return JSONResponse(app.older_document)


def find_key(request: Request) -> str | None:
    """Return the key that a request carries, wherever a caller or a sender may put it."""
    in_path: str | None = request.path_params.get("integration_key")
    return in_path or senders.find_key(request.headers)


def all_conflicts() -> dict[str, str]:
    """Return what each constraint of the database means, in words."""
    return {name: words for domain in DOMAINS for name, words in domain.CONFLICTS.items()}


def operation_id(route: APIRoute) -> str:
    """Name an operation after its function: stable verb_noun names for generated clients."""
    return route.name


def create_serving_app(runtime: Runtime) -> FastAPI:
    """Build the API over open resources, so that it can say what is degraded, and measure."""
    return create_app(
        runtime.settings,
        runtime.transactions,
        partial(find_degradations, runtime),
        partial(measure, runtime),
    )


async def find_degradations(runtime: Runtime) -> list[Degradation]:
    """Look for what makes pages late, lets them fail, or makes times wrong."""
    found = [
        await find_queue_trouble(runtime),
        *await find_lateness(runtime),
        await find_sealing_trouble(runtime),
        find_clock_trouble(runtime),
    ]
    return [each for each in found if each is not None]


async def find_queue_trouble(runtime: Runtime) -> Degradation | None:
    """Say whether Redis is away."""
    if await runtime.queue_answers():
        return None
    return Degradation("queue_down", "Redis does not answer: pages may be up to 10 s late.")


async def find_lateness(runtime: Runtime) -> list[Degradation]:
    """Say whether escalation or delivery stands still."""
    now = runtime.clock()
    try:
        async with (
            asyncio.timeout(readiness.PATIENCE_S),
            runtime.transactions.sessions() as session,
        ):
            lateness = await load_lateness(session, now)
            canary_age = await find_canary_age(session, now)
    except DATABASE_AWAY:
        return [Degradation("lateness_unknown", "What is overdue could not be looked for.")]
    found = {"overdue": why_overdue(lateness), "canary_stale": why_stale(canary_age)}
    return [Degradation(code, reason) for code, reason in found.items() if reason]


async def find_sealing_trouble(runtime: Runtime) -> Degradation | None:
    """Say whether addresses cannot be read."""
    sealer = Sealer(runtime.settings.sealing_keys)
    try:
        async with (
            asyncio.timeout(readiness.PATIENCE_S),
            runtime.transactions.sessions() as session,
        ):
            is_missing = await has_unopened_addresses(session, sealer)
    except DATABASE_AWAY:
        return None
    if not is_missing:
        return None
    return Degradation(
        "addresses_unreadable",
        "INCIDENT_SERVICE_SEALING_KEY lacks the key of some addresses: nobody is paged there. "
        "`incident-service doctor` says how many.",
    )


def find_clock_trouble(runtime: Runtime) -> Degradation | None:
    """Say whether this machine's clock differs much from PostgreSQL's."""
    offset_s = runtime.clock.offset.total_seconds()
    if abs(offset_s) <= LARGE_OFFSET_S:
        return None
    return Degradation("clock_offset", f"PostgreSQL's clock is {offset_s:+.1f} s from this one's.")
