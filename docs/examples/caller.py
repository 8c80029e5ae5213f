"""Calls that may be sent again, lists to their end, and the stream without gaps."""

import json
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

TRIES = 6
LATER = {408, 429, 502, 503, 504}  # 502 and 504 are a proxy's


class Refused(Exception):
    """The service said no, and `code` why; to send the same again would not help."""

    def __init__(self, answer: httpx.Response) -> None:
        is_problem = answer.headers.get("Content-Type") == "application/problem+json"
        self.problem: dict[str, Any] = answer.json() if is_problem else {}
        self.code = self.problem.get("code")
        super().__init__(f"{answer.status_code} {self.code}: {self.problem.get('detail')}")


def connect(url: str, key: str) -> httpx.Client:
    """Make a client for the service at a URL, which does not end in `/v1`."""
    return httpx.Client(
        base_url=url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=httpx.Timeout(30, connect=5),  # the service itself gives up after 12 s
        limits=httpx.Limits(keepalive_expiry=4),  # and closes idle connections after 5 s
    )


def unless_refused(answer: httpx.Response) -> httpx.Response:
    """Return an answer that is no error; raise Refused for others."""
    if answer.is_error:
        raise Refused(answer)
    return answer


def is_for_later(answer: httpx.Response) -> bool:
    """Say whether the same request may be answered otherwise soon."""
    in_use = answer.status_code == 409 and Refused(answer).code == "idempotency_key_in_use"
    return in_use or answer.status_code in LATER


def wait_of(answer: httpx.Response | None, otherwise_s: float) -> float:
    """Return after how many seconds to come again, by the answer if it says so."""
    told = "" if answer is None else answer.headers.get("Retry-After", "")
    return float(told) if told.isdecimal() else otherwise_s


@dataclass
class Caller:
    """Calls the service, and comes back where that helps."""

    client: httpx.Client
    sleep: Callable[[float], None] = time.sleep

    def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send until there is an answer that counts, each time under the same Idempotency-Key.

        Raises:
            Refused: the answer is an error, and not one to come back for, or the last one.
            httpx.TransportError: there was no answer the last time.
        """
        headers = {"Idempotency-Key": str(uuid.uuid4())} | request.pop("headers", {})
        for attempt in range(1, TRIES):
            answer = None
            with suppress(httpx.TransportError):
                answer = self.client.request(method, path, headers=headers, **request)
                if not is_for_later(answer):
                    return unless_refused(answer)
            self.sleep(wait_of(answer, random.uniform(0.25, 0.5) * 2**attempt))
        return unless_refused(self.client.request(method, path, headers=headers, **request))

    def items(self, path: str, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield every item of a list, page by page."""
        while True:
            page = self.send("GET", path, params=filters).json()
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            filters["cursor"] = page["next_cursor"]

    def changes(self, last_id: str = "", **filters: Any) -> Iterator[dict[str, Any] | None]:
        """Yield each change of the stream once, for ever; None: read the lists anew.

        Raises:
            Refused: the service does not let us in.
        """
        known: dict[str, int] = {}
        while True:
            wait_s = 2.0
            headers = {"Last-Event-ID": last_id} if last_id else {}
            try:
                with self.client.stream(
                    "GET",
                    "/v1/incidents/stream",
                    params=filters,
                    headers=headers,
                    timeout=httpx.Timeout(10, read=45),  # three heartbeats
                ) as answer:
                    if answer.is_error:
                        answer.read()
                    if is_for_later(answer):
                        wait_s = wait_of(answer, wait_s)
                    else:
                        unless_refused(answer)
                    for event in events_of(answer.iter_lines() if answer.is_success else ()):
                        if event.get("event") == "reset":
                            known.clear()
                            yield None
                        elif "data" in event:
                            change = json.loads(event["data"])
                            if change["sequence"] > known.get(change["incident_id"], 0):
                                known[change["incident_id"]] = change["sequence"]
                                yield change
                        last_id = event.get("id", last_id)  # not before it was dealt with
            except httpx.TransportError:
                pass
            self.sleep(wait_s)


def events_of(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """Yield the fields of each event that is complete; comments are fields without a name."""
    event: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            event[name] = value
        else:
            yield event
            event = {}
