"""Pages by any of the services that Apprise knows, at URLs that the operator has set.

Apprise brings its own HTTP client, past `core.outbound`: so nobody else may say what it calls.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType, PersistentStoreMode

from incident_service.catalog.priority import Priority
from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.message import OutgoingPage, subject, text

# Apprise bounds the pause between two bytes, not the whole: a service that drips bytes holds its
# thread for as long as it likes. So each URL has threads of its own, and no process waits for them.
THREADS_A_URL = 8
PATIENCE_S = 9.0
URGENT = {Priority.CRITICAL, Priority.HIGH}


class AppriseChannel:
    """Sends to `urls`, by the names that contact methods give. Each URL is a secret."""

    def __init__(self, urls: Mapping[str, str], *, patience_s: float = PATIENCE_S) -> None:
        self._urls = urls
        self._patience_s = patience_s
        self._free = {name: asyncio.Semaphore(THREADS_A_URL) for name in urls}

    async def send(self, page: OutgoingPage, to: Address) -> str:
        """Have Apprise send the page; see `ChannelSender.send`. It says no more than yes or no."""
        url = self._urls.get(to.address)
        if url is None:
            raise DeliveryFailed(
                "No Apprise URL has this name: add it to INCIDENT_SERVICE_APPRISE_URLS.",
                permanent=True,
            )
        try:
            async with asyncio.timeout(self._patience_s):
                took = await in_thread(partial(notify, url, page), self._free[to.address])
        except TimeoutError as error:
            raise DeliveryFailed(
                f"Apprise did not come to an end within {self._patience_s:g} s."
            ) from error
        if not took:
            raise DeliveryFailed("Apprise could not send it.")
        return "sent"


async def in_thread(work: Callable[[], bool], free: asyncio.Semaphore) -> bool:
    """Do `work` in a thread, which is counted as busy until it ends, whether awaited or not."""
    loop = asyncio.get_running_loop()
    result: Future[bool] = Future()

    def run() -> None:
        result.set_running_or_notify_cancel()
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            result.set_exception(error)
        with suppress(RuntimeError):  # the loop is closed: nobody counts any more
            loop.call_soon_threadsafe(free.release)

    await free.acquire()
    # Not of an executor: Python waits for its threads before a process may end.
    threading.Thread(target=run, name="apprise", daemon=True).start()
    return await asyncio.wrap_future(result)


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
        # With a bound of its own it would send in threads that all URLs of the process share.
        service_timeout=0,
        storage_mode=PersistentStoreMode.MEMORY,
    )
    service = Apprise(asset=asset)
    service.add(url)
    return service
