"""Pages by any of the services that Apprise knows, at URLs that the operator has set.

Apprise brings its own HTTP client, past `core.outbound`: so nobody else may say what it calls.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType, PersistentStoreMode

from incident_service.catalog.priority import Priority
from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.message import OutgoingPage, subject, text

# Threads of its own: a service that hangs must not hold those that look up names.
THREADS = 8
SERVICE_S = 9.0
URGENT = {Priority.CRITICAL, Priority.HIGH}


class AppriseChannel:
    """Sends to `urls`, by the names that contact methods give. Each URL is a secret."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = urls
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="apprise")

    async def send(self, page: OutgoingPage, to: Address) -> str:
        """Have Apprise send the page; see `ChannelSender.send`. It says no more than yes or no."""
        url = self._urls.get(to.address)
        if url is None:
            raise DeliveryFailed(
                "No Apprise URL has this name: add it to INCIDENT_SERVICE_APPRISE_URLS.",
                permanent=True,
            )
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(self._threads, partial(notify, url, page)):
            raise DeliveryFailed("Apprise could not send it.")
        return "sent"


def notify(url: str, page: OutgoingPage) -> bool:
    """Send one page, in a thread; say whether the service took it.

    Raises:
        DeliveryFailed: the URL is not one of Apprise's.
    """
    service = load(url)
    if len(service) == 0:
        raise DeliveryFailed(
            "Apprise cannot use its URL: correct INCIDENT_SERVICE_APPRISE_URLS.", permanent=True
        )
    result = service.notify(
        title=subject(page),
        body=text(page),
        body_format=NotifyFormat.TEXT,
        notify_type=NotifyType.FAILURE if page.priority in URGENT else NotifyType.WARNING,
    )
    return bool(result)


def can_be_used(url: str) -> bool:
    """Say whether Apprise knows the kind of the URL, and finds in it what it needs."""
    return len(load(url)) > 0


def load(url: str) -> Apprise:
    """Make a service that keeps nothing on disk and takes text as text; empty when it cannot."""
    asset = AppriseAsset(
        async_mode=False,
        interpret_escapes=False,
        interpret_emojis=False,
        allow_templates=False,
        secure_logging=True,
        service_timeout=SERVICE_S,
        storage_mode=PersistentStoreMode.MEMORY,
    )
    service = Apprise(asset=asset)
    service.add(url)
    return service
