"""Checks of the settings alone."""

from incident_service.cli.doctor.finding import Finding, Patient, ok, problem, warning
from incident_service.cli.environment import REAL_MINUTE_S
from incident_service.notifications.channels.email import read_smtp_url
from incident_service.teams.bootstrap import ContactUnreadable, read_contact


async def check_minute(patient: Patient) -> Finding:
    """Is a policy's minute a minute?"""
    seconds = patient.settings.escalation_minute_seconds
    if seconds == REAL_MINUTE_S:
        return ok("a policy's minute lasts 60 s")
    return warning(
        f"a policy's minute lasts {seconds:g} s: this is for drills",
        "unset INCIDENT_SERVICE_ESCALATION_MINUTE_SECONDS in production",
    )


async def check_public_url(patient: Patient) -> Finding:
    """Do links in pages lead anywhere?"""
    if patient.settings.public_url:
        return ok(f"pages link to {patient.settings.public_url}")
    return warning(
        f"PUBLIC_URL is not set: pages link to {patient.settings.base_url}",
        "set INCIDENT_SERVICE_PUBLIC_URL to the address that people and senders use",
    )


async def check_secret_key(patient: Patient) -> Finding:
    """Can pages be answered by a link?"""
    if patient.settings.secret_keys:
        return ok("pages carry a link by which they are answered")
    return warning(
        "SECRET_KEY is not set: pages carry no link by which they could be answered",
        "set INCIDENT_SERVICE_SECRET_KEY to 32 random characters or more, for API and workers",
    )


async def check_fallback_contact(patient: Patient) -> Finding:
    """Is anybody told when a policy reaches nobody?"""
    contact = patient.settings.fallback_contact.strip()
    if not contact:
        return warning(
            "there is no fallback contact: an incident that reaches nobody stays silent",
            "set INCIDENT_SERVICE_FALLBACK_CONTACT to mailto:…, ntfy:<topic> or https://…",
        )
    try:
        kind, _ = read_contact(contact)
    except ContactUnreadable as unreadable:
        return problem(
            "the fallback contact cannot be used",
            f"correct INCIDENT_SERVICE_FALLBACK_CONTACT: {unreadable.detail}",
        )
    return ok(f"the fallback contact is told by {kind}")


async def check_mail_server(patient: Patient) -> Finding:
    """Can the address of the mail server be read?"""
    if not patient.settings.smtp_url:
        return ok("no mail server is set")
    try:
        server = read_smtp_url(patient.settings.smtp_url)
    except ValueError as error:
        return problem("the mail server's address cannot be read", str(error))
    return ok(f"mails are handed in at {server.host}:{server.port}")
