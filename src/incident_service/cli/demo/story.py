"""The demo's story, chapter by chapter."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from redis.asyncio import Redis

from incident_service.cli.demo import words
from incident_service.cli.demo.service import Position, Service, Timer
from incident_service.cli.demo.waiting import eventually, pause
from incident_service.cli.demo.worker import WorkerProcess
from incident_service.cli.samples import disk_alert, resolved
from incident_service.core.clock import monotonic_s, utc_now

ALERTS = 50
FIRST = Position(1, 1)
# An address is disturbed at most once in 30 s, also by an earlier demo.
PAGE_WITHIN_S = 45.0
# The promise about killed processes: what was committed goes on within 30 s.
LATE_WITHIN_S = 30.0
KILL_BEFORE_DUE_S = 8.0
# A look at fifty timers takes a moment, in which none of them should come due.
CALM_S = 4.0
CALM_WITHIN_S = 20.0
LISTEN_S = 3.0
QUEUE = "arq:queue"

Say = Callable[[str], None]


@dataclass(slots=True)
class Expectations:
    """What was expected, and whether it came true; each is said at once."""

    say: Say
    kept: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def expect(self, text: str, *, holds: bool) -> None:
        """Note one."""
        (self.kept if holds else self.broken).append(text)
        self.say(words.verdict(text, holds=holds))


class Workers:
    """The worker at work, one after the other."""

    def __init__(self, environment: dict[str, str], say: Say) -> None:
        self._environment = environment
        self._say = say
        self.present: WorkerProcess | None = None

    async def start(self) -> WorkerProcess:
        """Start another one."""
        self.present = await WorkerProcess.start(
            self._environment, lambda head: self._say(words.fact(f"PAGE {head}"))
        )
        return self.present

    async def stop(self) -> None:
        """Leave none behind."""
        if self.present:
            await self.present.stop()


class Story:
    """Fifty alerts from their first page to their end.

    Without `workers` the service's own go on, and none is killed; without `redis` the queue is
    not looked into.
    """

    def __init__(
        self, service: Service, workers: Workers | None, redis: Redis | None, say: Say
    ) -> None:
        self._service = service
        self._workers = workers
        self._redis = redis
        self._say = say
        self.expectations = Expectations(say)
        run = utc_now().strftime("%H%M%S")
        self._alerts = [disk_alert(f"db-{n:02}", demo=run) for n in range(1, ALERTS + 1)]
        self._incident_ids: list[str] = []

    async def tell(self) -> None:
        """Tell it to its end, or until nothing can follow."""
        if self._workers:
            await self._take_what_is_open()
        if await self.alerts_become_one_page():
            if await self.the_climb_survives():
                await self.an_acknowledge_ends_it()
            await self.alerts_resolve()

    async def _take_what_is_open(self) -> None:
        """Acknowledge what was open before, such as an alert that was fired by hand.

        Its next page would go to the same people, and hold those of the story back.
        """
        ids = await self._service.open_incidents()
        if ids:
            await self._service.acknowledge(ids)
            self._fact(f"{words.counted(len(ids), 'incident')} open already: acknowledged")

    async def alerts_become_one_page(self) -> bool:
        """Fire, and see one page. False: there are no incidents to go on with."""
        self._head(1, f"{ALERTS} alerts arrive in one webhook")
        answer = await self._service.send(self._alerts)
        self._incident_ids = [id_ for id_ in answer.incident_ids if id_]
        opened = answer.outcomes.count("opened")
        self._expect(
            f"answered in {answer.took_s * 1000:.0f} ms, committed: {opened} incidents opened",
            holds=opened == ALERTS,
        )
        sent = await self._wait_for_pages(FIRST, PAGE_WITHIN_S)
        await self._expect_one_page(sent, "level 1")
        return bool(self._incident_ids)

    async def the_climb_survives(self) -> bool:
        """Let nobody answer, kill the worker, and see level 2. False: nothing is pending."""
        self._head(2, "Nobody answers, and the worker is killed in mid climb")
        timer = max(await self._pending_timers(), key=lambda timer: timer.due_at, default=None)
        self._expect("a pending row says what comes next", holds=timer is not None)
        if timer is None:
            return False
        left_s = seconds_until(timer.due_at)
        self._fact(f"level {timer.position.level} is due in {left_s:.0f} s")
        if self._workers:
            await self._kill_and_replace(self._workers, timer)
        else:
            self._fact("no worker is killed: those of the service are not this demo's")
        within_s = max(seconds_until(timer.due_at), 0) + LATE_WITHIN_S
        sent = await self._wait_for_pages(timer.position, within_s)
        await self._expect_one_page(sent, f"level {timer.position.level}")
        late_s = max((lateness_s(row, timer.due_at) for row in sent), default=within_s)
        self._expect(
            f"it came {late_s:.1f} s after it was due, on time or within {LATE_WITHIN_S:.0f} s",
            holds=late_s < LATE_WITHIN_S,
        )
        return True

    async def an_acknowledge_ends_it(self) -> None:
        """Acknowledge, and see the next step go away."""
        self._head(3, "Somebody acknowledges")
        waiting = await self._pending_timers()
        ids = [timer.arq_job_id for timer in waiting]
        self._fact(f"{words.counted(len(waiting), 'next step')} pending, the first is {ids[:1]}")
        if self._redis:
            self._expect("their jobs are in Redis", holds=await self._in_queue(ids) == len(ids))
        await self._service.acknowledge(self._incident_ids)
        cancelled = {timer.arq_job_id for timer in await self._timers() if timer.is_cancelled}
        self._expect(
            f"{words.counted(len(cancelled), 'pending row')} cancelled with the acknowledge",
            holds=cancelled == set(ids) and len(ids) == ALERTS,
        )
        if self._redis:
            self._expect("their jobs are gone, by their ids", holds=not await self._in_queue(ids))
        before = await self._told()
        await pause(LISTEN_S)
        self._expect("no further page comes", holds=await self._told() == before)

    async def alerts_resolve(self) -> None:
        """Resolve, and see the incidents end."""
        self._head(4, "The alerts resolve")
        ended_at = utc_now().isoformat()
        await self._service.send([resolved(alert, ended_at) for alert in self._alerts])
        statuses = await self._service.statuses(self._incident_ids)
        count = statuses.count("RESOLVED")
        self._expect(f"{count} incidents are RESOLVED", holds=count == ALERTS)

    async def _kill_and_replace(self, workers: Workers, timer: Timer) -> None:
        """Kill the worker before the step is due, and start another only once it is."""
        await pause(max(seconds_until(timer.due_at) - KILL_BEFORE_DUE_S, 1.0))
        assert workers.present is not None
        pid, ending = workers.present.pid, await workers.present.kill()
        self._expect(f"kill -9 {pid}: the worker is dead", holds=ending < 0)
        self._fact("nobody works now, and the step comes due")
        await pause(max(seconds_until(timer.due_at), 0))
        started = await workers.start()
        self._fact(f"another worker starts, with pid {started.pid}")

    async def _wait_for_pages(self, position: Position, within_s: float) -> list[dict[str, Any]]:
        """Return what was sent from a place of the climb, once that is all there is to send."""
        began_s = monotonic_s()

        async def look() -> list[dict[str, Any]] | None:
            rows = await self._service.notifications(self._incident_ids)
            here = [row for row in rows if (row["repeat"], row["level"]) == place]
            sent = [row for row in here if row["status"] == "sent"]
            return sent if {row["incident_id"] for row in sent} == wanted else None

        place, wanted = (position.repeat, position.level), set(self._incident_ids)
        sent = await eventually(look, within_s=within_s) or []
        self._fact(f"waited {monotonic_s() - began_s:.1f} s for the page")
        return sent

    async def _expect_one_page(self, sent: Sequence[dict[str, Any]], where: str) -> None:
        """Expect that each address got all incidents in one page."""
        by_address: dict[tuple[str | None, str, str], list[str]] = defaultdict(list)
        for row in sent:
            by_address[row["user_id"], row["channel"], row["contact_method_id"]].append(
                row["page_id"]
            )
        if not by_address:
            self._expect(f"{where} is paged", holds=False)
        for (user_id, channel, _), page_ids in by_address.items():
            name = await self._service.user_name(user_id)
            pages = words.counted(len(set(page_ids)), "page")
            self._expect(
                f"{where}: {pages} to {name} ({channel}), with {len(page_ids)} incidents",
                holds=len(set(page_ids)) == 1 and len(page_ids) == ALERTS,
            )

    async def _pending_timers(self) -> list[Timer]:
        """Return the timers that are pending, at a moment when none of them is about to come due.

        A page that an address had to wait for can come just before the next step of its climb.
        """
        pending: list[Timer] = []

        async def look() -> bool | None:
            nonlocal pending
            pending = [timer for timer in await self._timers() if timer.is_pending]
            return all(seconds_until(timer.due_at) > CALM_S for timer in pending) or None

        await eventually(look, within_s=CALM_WITHIN_S)
        return pending

    async def _timers(self) -> list[Timer]:
        return await self._service.timers(self._incident_ids)

    async def _told(self) -> set[str]:
        rows = await self._service.notifications(self._incident_ids)
        return {row["id"] for row in rows}

    async def _in_queue(self, job_ids: Sequence[str]) -> int:
        """Count the jobs that wait in Redis."""
        assert self._redis is not None
        scores = await self._redis.zmscore(QUEUE, list(job_ids)) if job_ids else []
        return sum(score is not None for score in scores)

    def _head(self, number: int, title: str) -> None:
        self._say(words.heading(number, title))

    def _fact(self, text: str) -> None:
        self._say(words.fact(text))

    def _expect(self, text: str, *, holds: bool) -> None:
        self.expectations.expect(text, holds=holds)


def seconds_until(instant: datetime) -> float:
    """Return how far away an instant is, by this machine's clock."""
    return (instant - utc_now()).total_seconds()


def lateness_s(notification: dict[str, Any], due_at: datetime) -> float:
    """Return how long after its due time a notification was sent."""
    return (datetime.fromisoformat(notification["sent_at"]) - due_at).total_seconds()
