"""Do together what arrives while a batch is at work: one transaction for many, no added wait."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

from incident_service.core.errors import Unavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class TooManyWaiting(Unavailable):
    """More is waiting than can be done soon; try again shortly."""


def one(_item: object) -> int:
    """Weigh every item the same."""
    return 1


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Item, Answer]):
    """An item, its place for the answer, and the context variables of who waits for that."""

    item: Item
    answer: asyncio.Future[Answer]
    context: Context


class Batches(Generic[Item, Answer]):
    """Hands items to `work` in batches of at most the weight `most`, `at_once` at the same time.

    `work` answers each item, in order. An idle one begins with the first item at once; what comes
    meanwhile waits for the next batch. A batch that fails is done again item by item, so that a
    bad item costs only itself; not after an error of `hopeless`, which would meet each of them
    again. A caller that goes away costs nobody anything. An item heavier than `most` goes alone.

    What is done for one item alone is done in its context, so it has its request's id and trace;
    what is done for many has nobody's.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        most: int,
        at_once: int = 1,
        weigh: Callable[[Item], int] = one,
        most_waiting: int | None = None,
        hopeless: tuple[type[Exception], ...] = (),
    ) -> None:
        self._work = work
        self._most = most
        self._at_once = at_once
        self._weigh = weigh
        self._most_waiting = most_waiting
        self._hopeless = hopeless
        self._waiting: deque[tuple[Waiting[Item, Answer], int]] = deque()
        self._waiting_weight = 0
        self._at_work: set[asyncio.Task[None] | None] = set()

    async def submit(self, item: Item) -> Answer:
        """Have the item done and return its answer, or raise what `work` raised for it alone.

        Raises:
            TooManyWaiting: items of the weight `most_waiting` wait already.
        """
        if self._most_waiting is not None and self._waiting_weight >= self._most_waiting:
            raise TooManyWaiting
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        weight = self._weigh(item)
        self._waiting.append((Waiting(item, answer, copy_context()), weight))
        self._waiting_weight += weight
        if len(self._at_work) < self._at_once:
            self._at_work.add(asyncio.create_task(self._work_off(), context=Context()))
        return await answer

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                batch = self._take()
                if len(batch) == 1:
                    await asyncio.create_task(self._do(batch), context=batch[0].context)
                else:
                    await self._do(batch)
        finally:
            # Not by a callback of the task: what is submitted before that runs would wait forever.
            self._at_work.discard(asyncio.current_task())

    def _take(self) -> list[Waiting[Item, Answer]]:
        batch: list[Waiting[Item, Answer]] = []
        total = 0
        while self._waiting and (not batch or total + self._waiting[0][1] <= self._most):
            waiting, weight = self._waiting.popleft()
            batch.append(waiting)
            total += weight
        self._waiting_weight -= total
        return batch

    async def _do(self, batch: Sequence[Waiting[Item, Answer]]) -> None:
        try:
            answers = await self._work([waiting.item for waiting in batch])
            pairs = list(zip(batch, answers, strict=True))
        except Exception as error:  # noqa: BLE001 - every caller gets its own
            if len(batch) == 1 or isinstance(error, self._hopeless):
                for waiting in batch:
                    settle(waiting.answer, error)
                return
            for single in batch:
                await self._do([single])
        else:
            for waiting, answer in pairs:
                settle(waiting.answer, answer)


def settle(waiting: asyncio.Future[Answer], outcome: Answer | Exception) -> None:
    """Answer a caller, unless it has gone away."""
    if waiting.done():
        return
    if isinstance(outcome, Exception):
        waiting.set_exception(outcome)
    else:
        waiting.set_result(outcome)
