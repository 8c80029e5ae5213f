"""The call that is being answered: its id, and what becomes known of it on the way.

It is found in the request's scope by who renders an answer outside of everything else, and in a
context variable by who has no request in its hands.
"""

import re
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from incident_service.core.ids import new_id

IN_SCOPE = "incident_service.call"
# Nothing in it could break a log line, a header or a page that shows it.
SANE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


@dataclass(slots=True)
class Call:
    """One request, under the id that its caller gave it or that it was given.

    `route` is the path's template once it is known. A key's request has `key_id`, `key_name` and
    perhaps `user_id`, a sender's has `integration_id`.
    """

    request_id: str
    route: str | None = None
    key_id: UUID | None = None
    key_name: str | None = None
    user_id: UUID | None = None
    integration_id: UUID | None = None


CURRENT: ContextVar[Call | None] = ContextVar("incident_service_call", default=None)


def current_call() -> Call | None:
    """Return the call that is being answered, if any."""
    return CURRENT.get()


def note_key(key_id: UUID, name: str, user_id: UUID | None) -> None:
    """Say by which key the call that is being answered was made, and who is behind it."""
    call = CURRENT.get()
    if call:
        call.key_id, call.key_name, call.user_id = key_id, name, user_id


def note_integration(integration_id: UUID) -> None:
    """Say whose webhook is being answered."""
    call = CURRENT.get()
    if call:
        call.integration_id = integration_id


def request_id_from(given: bytes | None) -> str:
    """Keep the id that a caller gave its request when it is sane; else make a new one."""
    if given is not None:
        text = given.decode("latin-1")
        if SANE.fullmatch(text):
            return text
    return str(new_id())
