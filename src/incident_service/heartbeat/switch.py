"""Call a dead-man's switch: somebody outside, who raises the alarm when the calls stay away."""

import structlog

from incident_service.core.db import Transactions
from incident_service.core.outbound import Outbound, OutboundError
from incident_service.core.reconciler import Swept
from incident_service.heartbeat.actions import claim_call
from incident_service.heartbeat.fitness import Call, Used, Withhold
from incident_service.observability import metrics

log = structlog.get_logger()
LOOK_EVERY_S = 5.0
"""A minute's canary is used soon after it came through, and calls go on soon after an outage."""
CALL_S = 10.0
OK = range(200, 300)


class Switch:
    """Posts nothing but the fact to `url`, once for each canary that came through.

    All workers together call once a minute. A call that fails is not made up for: the next one
    is a minute away, and such a service waits for several.
    """

    def __init__(self, transactions: Transactions, outbound: Outbound, url: str) -> None:
        self._transactions = transactions
        self._outbound = outbound
        self._url = url
        self._withheld = False

    async def sweep(self) -> Swept:
        """Call, when a canary is fresh, not used yet, and nothing is overdue."""
        match await self._transactions.run(claim_call):
            case Call():
                self._note(None)
                await self._call()
            case Used():
                self._note(None)
            case Withhold(reason):
                self._note(reason)
        return Swept()

    def _note(self, reason: str | None) -> None:
        """Log once that calls are withheld, and why; and once that they are not any more."""
        if reason and not self._withheld:
            log.error("heartbeat.withheld", reason=reason)
        if self._withheld and not reason:
            log.info("heartbeat.goes_on")
        self._withheld = reason is not None

    async def _call(self) -> None:
        try:
            answer = await self._outbound.post(self._url, content=b"", headers={}, timeout_s=CALL_S)
        except OutboundError as error:
            failure = str(error)
        else:
            failure = "" if answer.status in OK else f"The answer was {answer.status}."
        metrics.HEARTBEATS.labels("failed" if failure else "sent").inc()
        if failure:
            log.warning("heartbeat.failed", error=failure)
