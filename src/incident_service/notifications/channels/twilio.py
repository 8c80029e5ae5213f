"""Pages as text messages and as calls, by Twilio or who speaks like it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from incident_service.core.outbound import Answer, Outbound
from incident_service.notifications.channels.contract import Address
from incident_service.notifications.channels.posting import (
    exchange,
    failure,
    is_success,
    read_object,
)
from incident_service.notifications.channels.twilio_callbacks import TwilioCallbacks
from incident_service.notifications.message import OutgoingPage
from incident_service.notifications.wording.short import short_text
from incident_service.notifications.wording.spoken import as_twiml

VERSION = "2010-04-01"
# Too many requests, and a number whose queue is full: both are answered 4xx, and both pass.
PASSING_ERRORS = (20429, 21611)
CALLBACK_REFUSED = 21609
CALL_EVENTS = ("initiated", "ringing", "answered", "completed")

Fields = Mapping[str, str | Sequence[str]]
"""The fields of a form; one with several values is sent several times."""


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """Who pays, and the number that messages and calls come from.

    Without `callbacks` nobody hears whether they got through.

    Twilio knows no idempotency key: a page that is sent again is a second message or call.

    Source: https://www.twilio.com/docs/usage/requests-to-twilio
    """

    server_url: str
    account_sid: str
    auth_token: str = field(repr=False)
    from_number: str
    callbacks: TwilioCallbacks | None = None

    async def create(
        self,
        outbound: Outbound,
        resource: str,
        fields: Fields,
        page: OutgoingPage,
        *,
        reports: Fields | None = None,
    ) -> str:
        """Make a message or a call; return its id and status, such as `SM0123… queued`.

        `reports` says which reports are wanted, for a resource that has a choice.

        Raises:
            DeliveryFailed: Twilio did not take it.
        """
        reported_to = self._reported_to(page, reports or {})
        answer = await self._post(outbound, resource, {**fields, **reported_to})
        if reported_to and read_object(answer).get("code") == CALLBACK_REFUSED:
            # The page matters more than what becomes of it.
            answer = await self._post(outbound, resource, fields)
        body = read_object(answer)
        if is_success(answer):
            return f"{body.get('sid', 'no sid')} {body.get('status', '')}".strip()
        raise failure(
            answer,
            page.sent_at,
            # Twilio's words and its number of the error:
            # https://www.twilio.com/docs/usage/twilios-response#errors
            said=str(body.get("message", "")) if "code" in body else "",
            more=f"(error {body['code']})" if "code" in body else "",
            by="Twilio",
            may_recover=body.get("code") in PASSING_ERRORS,
        )

    def _reported_to(self, page: OutgoingPage, reports: Fields) -> Fields:
        """Return the fields that ask for reports."""
        if self.callbacks is None:
            return {}
        return {"StatusCallback": self.callbacks.url(page.id, page.attempt), **reports}

    async def _post(self, outbound: Outbound, resource: str, fields: Fields) -> Answer:
        account = f"{self.server_url.rstrip('/')}/{VERSION}/Accounts/{quote(self.account_sid)}"
        return await exchange(
            outbound,
            f"{account}/{resource}.json",
            content=urlencode({"From": self.from_number, **fields}, doseq=True).encode(),
            headers={
                "content-type": "application/x-www-form-urlencoded",
                "authorization": self._credentials(),
            },
        )

    def _credentials(self) -> str:
        pair = f"{self.account_sid}:{self.auth_token}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


class SmsChannel:
    """Sends text messages.

    Source: https://www.twilio.com/docs/messaging/api/message-resource#create-a-message
    """

    def __init__(self, outbound: Outbound, account: TwilioAccount) -> None:
        self._outbound = outbound
        self._account = account

    async def send(self, page: OutgoingPage, to: Address) -> str:
        """Hand the message over; see `ChannelSender.send`."""
        fields = {"To": to.address, "Body": short_text(page)}
        return await self._account.create(self._outbound, "Messages", fields, page)


class VoiceChannel:
    """Calls, and says what is wrong.

    Source: https://www.twilio.com/docs/voice/api/call-resource#create-a-call
    """

    def __init__(self, outbound: Outbound, account: TwilioAccount) -> None:
        self._outbound = outbound
        self._account = account

    async def send(self, page: OutgoingPage, to: Address) -> str:
        """Have the call made; see `ChannelSender.send`."""
        fields = {"To": to.address, "Twiml": as_twiml(page)}
        reports = {"StatusCallbackEvent": CALL_EVENTS, "StatusCallbackMethod": "POST"}
        return await self._account.create(self._outbound, "Calls", fields, page, reports=reports)
