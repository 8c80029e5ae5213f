"""Do together what arrives while a batch is at work: one transaction for many, no added wait."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batches(Generic[Item, Answer]):
    """Hands items to `work` in batches of at most `most`, one batch at a time.

    `work` answers each item, in order. An idle one begins with the first item at once; what comes
    meanwhile waits for the next batch. A batch that fails is done again item by item, so that a
    bad item costs only itself. A caller that goes away costs nobody anything.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]], *, most: int
    ) -> None:
        self._work = work
        self._most = most
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._at_work: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Answer:
        """Have the item done and return its answer, or raise what `work` raised for it alone."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._at_work is None:
            self._at_work = asyncio.create_task(self._work_off())
        return await answer

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._do(batch)
        finally:
            self._at_work = None

    async def _do(self, batch: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._work([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - every caller gets its own
            if len(batch) == 1:
                settle(batch[0][1], error)
                return
            for single in batch:
                await self._do([single])
        else:
            for (_, waiting), answer in zip(batch, answers, strict=True):
                settle(waiting, answer)


def settle(waiting: asyncio.Future[Answer], outcome: Answer | Exception) -> None:
    """Answer a caller, unless it has gone away."""
    if waiting.done():
        return
    if isinstance(outcome, Exception):
        waiting.set_exception(outcome)
    else:
        waiting.set_result(outcome)
