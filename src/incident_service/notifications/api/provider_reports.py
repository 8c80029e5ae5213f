"""HTTP: what Twilio reports of messages and calls. It has no key: it signs what it sends."""

from urllib.parse import parse_qsl
from uuid import UUID

import structlog
from fastapi import APIRouter, Request

from incident_service.core.db import Transactions, Tx
from incident_service.core.errors import Forbidden, Malformed, TooLarge
from incident_service.notifications import provider_reports
from incident_service.notifications.channels.twilio_callbacks import PATH, Fields, make_callbacks
from incident_service.notifications.models import Page
from incident_service.notifications.provider_reports import Report
from incident_service.notifications.provider_status import UNANSWERED
from incident_service.observability import metrics

log = structlog.get_logger()
router = APIRouter(include_in_schema=False)
SIGNATURE = "x-twilio-signature"
MAX_FORM = 64 * 1024
MAX_FIELDS = 200
ERROR_DIGITS = 10


class NotSigned(Forbidden):
    """The signature is not that of our Twilio account for this address and these fields."""


class FormUnreadable(Malformed):
    """The body is not a form."""


class FormTooLarge(TooLarge):
    """The form is larger than any report."""


@router.post(f"{PATH}/{{page_id}}/{{attempt}}", status_code=204)
async def take_twilio_report(request: Request, page_id: UUID, attempt: int) -> None:
    """Take a status callback. Twilio is told nothing but that it was read: it could do nothing.

    Source: https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
    Source: https://www.twilio.com/docs/voice/api/call-resource#statuscallback
    """
    fields = read_form(await request.body())
    require_signature(request, page_id, attempt, fields)
    report = read_report(attempt, dict(fields))
    transactions: Transactions = request.app.state.transactions

    async def work(tx: Tx) -> Page | None:
        return await provider_reports.take_report(
            tx, page_id, report, given_up=request.app.state.given_up
        )

    failed = await transactions.run(work)
    if failed:
        tell_operators(failed, report)


def require_signature(request: Request, page_id: UUID, attempt: int, fields: Fields) -> None:
    """See to it that the form comes from Twilio.

    The address is the one that we gave to Twilio; the one of the request is a proxy's.

    Raises:
        NotSigned: it does not, or there is no Twilio account.
    """
    callbacks = make_callbacks(request.app.state.settings)
    signature = request.headers.get(SIGNATURE, "")
    if callbacks is None or not callbacks.is_signed(
        callbacks.url(page_id, attempt), fields, signature
    ):
        log.info("provider_report.not_signed", page_id=page_id)
        raise NotSigned


def read_form(body: bytes) -> Fields:
    """Read `application/x-www-form-urlencoded`, with the fields that are empty.

    Raises:
        FormTooLarge: it has more than 64 KiB.
        FormUnreadable: it is no form, or not in UTF-8.
    """
    if len(body) > MAX_FORM:
        raise FormTooLarge
    try:
        return parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError as error:
        raise FormUnreadable from error


def read_report(attempt: int, form: dict[str, str]) -> Report:
    """Return what is said of a message or a call."""
    error = form.get("ErrorCode", "")
    return Report(
        attempt,
        form.get("MessageStatus") or form.get("CallStatus") or "",
        error if error.isdecimal() and len(error) <= ERROR_DIGITS else None,
    )


def tell_operators(page: Page, report: Report) -> None:
    """Log and count a page that has failed; that nobody picks up is no fault of the service."""
    channel = page.channel.value
    log.warning(
        "delivery.failed",
        page_id=page.id,
        channel=channel,
        attempt=report.attempt,
        outcome="failed",
        error=page.last_error,
    )
    if report.status not in UNANSWERED:
        metrics.PAGES_FAILED.labels(channel).inc()
