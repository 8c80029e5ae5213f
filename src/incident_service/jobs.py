"""Every background job: its name, its arguments, its key. The queue's vocabulary on one page.

A job carries ids only and is nothing but a wake-up call: its handler reads the row under a lock
and does nothing when it has been overtaken. Handlers live with the rows they change.
"""

from datetime import datetime
from uuid import UUID

from incident_service.core.ids import new_id
from incident_service.core.queue import Job

RUN_TIMER = "run_timer"
DELIVER = "deliver"
ADVANCE_CANARY = "advance_canary"


def run_timer(escalation_job_id: UUID, at: datetime) -> Job:
    """Wake the escalation when one of its rows is due.

    The key is the row's own id, so it can be taken out by that id, and is never used twice.
    """
    return Job(RUN_TIMER, (str(escalation_job_id),), str(escalation_job_id), at)


def deliver(contact_method_id: UUID, at: datetime) -> Job:
    """Send what is due for one address.

    The key is always new: arq refuses a key that is still running, and a page that comes due
    while the address is being served must not be forgotten until the reconciler finds it.
    """
    return Job(DELIVER, (str(contact_method_id),), f"deliver:{contact_method_id}:{new_id()}", at)


def deliver_later(contact_method_id: UUID, at: datetime) -> Job:
    """Send what is due for one address once it may be disturbed again.

    The instant is part of the key: many who find the same address held back leave one wake-up.
    """
    key = f"deliver:{contact_method_id}:{at.isoformat()}"
    return Job(DELIVER, (str(contact_method_id),), key, at)


def advance_canary(canary_id: UUID, stage: str, at: datetime) -> Job:
    """Take a canary one stage further.

    The stage is part of the key: arq refuses a running job's own key, silently.
    """
    return Job(ADVANCE_CANARY, (str(canary_id),), f"canary:{canary_id}:{stage}", at)
