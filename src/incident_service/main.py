"""Compose the API: routers, middleware, error handlers."""

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from incident_service.alerts import api as alerts
from incident_service.catalog import api as catalog
from incident_service.core.db import Transactions
from incident_service.core.http import Problem, install_error_handlers
from incident_service.core.middleware import ReplayOnConflict, RequestId
from incident_service.escalation import api as escalation
from incident_service.incidents import api as incidents
from incident_service.incidents.queries import count_active_on_policy
from incident_service.notifications import api as notifications
from incident_service.observability import health
from incident_service.policies import api as policies
from incident_service.policies.hooks import PolicyHooks
from incident_service.policies.queries import say_who_names_user
from incident_service.response import api as response
from incident_service.settings import Settings
from incident_service.teams import api as teams

DOMAINS = (teams, policies, catalog, incidents, notifications, escalation, response, alerts)


def create_app(settings: Settings, transactions: Transactions) -> FastAPI:
    """Build the API; nothing is connected or started."""
    app = FastAPI(
        title="incident-service",
        version="0.1.0",
        description=__doc__,
        generate_unique_id_function=operation_id,
        redirect_slashes=False,
        responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}},
    )
    app.state.settings = settings
    app.state.transactions = transactions
    app.state.user_in_use = (say_who_names_user,)
    app.state.policy_hooks = PolicyHooks(count_open=count_active_on_policy)
    router = APIRouter(prefix="/v1")
    conflicts: dict[str, str] = {}
    for domain in DOMAINS:
        router.include_router(domain.router)
        conflicts |= domain.CONFLICTS
    app.include_router(router)
    app.include_router(health.router)
    install_error_handlers(app, conflicts)
    app.add_middleware(ReplayOnConflict)
    app.add_middleware(RequestId)
    return app


def operation_id(route: APIRoute) -> str:
    """Name an operation after its function: stable verb_noun names for generated clients."""
    return route.name
