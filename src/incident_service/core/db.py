"""The database session and the one transaction every request and job runs in."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import AdaptedConnection, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from incident_service.core import ledger, tables
from incident_service.core.audit import NOBODY_ELSE, AuditEntry, Author
from incident_service.core.bulk import insert_rows
from incident_service.core.clock import Clock, DatabaseClock, monotonic_s
from incident_service.core.liveness import replace_dead_connections
from incident_service.core.queue import Job, Queue, QueueDown
from incident_service.core.sealing import Sealer
from incident_service.core.spans import begin_trace, current_trace
from incident_service.core.trace_context import TraceContext

log = structlog.get_logger()
Sessions = async_sessionmaker[AsyncSession]
Result = TypeVar("Result")

# What models are made of. It lives apart, so that the ledger can know it too.
Base = tables.Base
ClosedText = tables.ClosedText
Sealed = tables.Sealed
one_of = tables.one_of
sealer_of = tables.sealer_of

RETRYABLE_SQLSTATES = {
    "40001",  # serialization failure
    "40P01",  # deadlock: the lock order makes it rare, not impossible
}
FOREIGN_KEY_VIOLATION = "23503"
ATTEMPTS = 4
# To be overtaken costs little and means that somebody else got on; at most one time for each
# transaction at work on the same rows.
ATTEMPTS_WHEN_OVERTAKEN = 30

# From the inside out: a lock, a statement, the whole transaction. A request that waits longer than
# this helps nobody. The last one counts here, not in PostgreSQL, which may have fallen silent.
LONGEST_TRANSACTION_S = 12.0
SERVER_SETTINGS = {
    "application_name": "incident-service",
    "statement_timeout": "8000",
    "lock_timeout": "6000",
    "idle_in_transaction_session_timeout": "15000",
    "timezone": "UTC",
    # A plan that was made while a table was small is kept until PostgreSQL next analyses the table,
    # a minute later or more: in a first storm, each alert would be looked for among all of them.
    "plan_cache_mode": "force_custom_plan",
}


@dataclass(slots=True)
class Tx:
    """One unit of work: a session, the instant it began, and the jobs it owes.

    `minute` is the length of a policy's minute: 60 s, or less in a drill. `author` is who appears
    in the audit log for what it changes of the configuration. `trace` is what it belongs to.
    """

    session: AsyncSession
    now: datetime
    minute: timedelta = timedelta(minutes=1)
    author: Author = NOBODY_ELSE
    jobs: list[Job] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    on_commit: list[Callable[[], object]] = field(default_factory=list)
    rows: dict[type[Base], list[dict[str, Any]]] = field(default_factory=dict)
    trace: TraceContext | None = None
    traces: dict[UUID, str] = field(default_factory=dict)

    def trace_of(self, incident_id: UUID | None = None) -> str:
        """Return, as rows keep it, the trace of what changes an incident, or anything else.

        `traces` names those of incidents that several callers change in one transaction; else it
        is the caller's, or one that begins here.
        """
        if incident_id in self.traces:
            return self.traces[incident_id]
        self.trace = self.trace or begin_trace()
        return self.trace.kept()

    def add_row(self, table: type[Base], row: dict[str, Any]) -> None:
        """Have a row written by the next flush, together with the others of its table."""
        self.rows.setdefault(table, []).append(row)

    def enqueue(self, job: Job) -> None:
        """Send `job` if, and only if, this transaction commits."""
        self.jobs.append(job)

    def withdraw(self, key: str) -> None:
        """Take the job of this key out of the queue once this transaction has committed."""
        self.withdrawn.append(key)

    def after_commit(self, count: Callable[[], object]) -> None:
        """Count something once it is true. What cannot be lost belongs in a table instead."""
        self.on_commit.append(count)

    async def flush(self) -> None:
        """Write pending changes now, where the order of statements matters."""
        await self.session.flush()
        rows, self.rows = self.rows, {}
        for table, added in rows.items():
            await insert_rows(self.session, table, added)

    async def close(self) -> None:
        """Write what is left, and the audit log's entries for what has changed."""
        await self.flush()
        if not ledger.has_notes(self.session.sync_session):
            return
        for row in await self.session.run_sync(ledger.entries, self.author, self.now):
            self.add_row(AuditEntry, row)
            self.after_commit(partial(log_entry, row))
        await self.flush()


@dataclass(frozen=True, slots=True)
class Transactions:
    """Opens transactions: the only thing in the service that commits."""

    sessions: Sessions
    queue: Queue
    clock: Clock
    minute: timedelta = timedelta(minutes=1)
    longest_s: float = LONGEST_TRANSACTION_S

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Tx]:
        """Commit on success, then hand over the jobs; roll back and send none on error.

        A queue that is down does not undo committed work: it is logged, and the reconciler,
        which reads due work from the database, does it later.

        Raises:
            TimeoutError: it took longer than `longest_s`. Whether it committed is not known
                when that happens during the commit, as with any connection that breaks then.
        """
        async with (
            asyncio.timeout(self.longest_s),
            self.sessions() as session,
            session.begin(),
        ):
            # Before the clock is asked: a wait for a connection would make `now` old, and a new
            # connection measures the clock.
            await session.connection()
            tx = Tx(session, self.clock(), self.minute, trace=current_trace())
            yield tx
            await tx.close()
        for count in tx.on_commit:
            count()
        await self._hand_over(tx)

    async def run(self, work: Callable[[Tx], Awaitable[Result]]) -> Result:
        """Do `work` in a transaction, again when the database asks for that.

        Deadlocks and serialization failures are retried, and so is `Overtaken`. `work` may
        therefore run several times; only one of them commits.
        """

        async def once() -> Result:
            async with self.open() as tx:
                return await work(tx)

        return await until_not_refused(once)

    async def fetch(self, make: Callable[[datetime], tuple[Any, ...]], statement: str) -> list[Any]:
        """Run one statement that is a transaction of its own, in one round trip; return its rows.

        `make` gives its parameters, from the instant at which it runs. It is run again like `run`.
        """

        async def once() -> list[Any]:
            async with asyncio.timeout(self.longest_s), self.sessions() as session:
                connection = await session.connection(execution_options=AUTOCOMMIT)
                result = await connection.exec_driver_sql(statement, make(self.clock()))
                return list(result.all())

        return await until_not_refused(once)

    async def _hand_over(self, tx: Tx) -> None:
        try:
            # Shielded: a caller that goes away after the commit must not keep the page waiting.
            await asyncio.shield(self.queue.exchange(add=tx.jobs, remove=tx.withdrawn))
        except QueueDown as error:
            log.warning("queue.down", jobs=len(tx.jobs), reason=str(error))


async def until_not_refused(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Try again, some times, while transactions get into each other's way."""
    overtaken = failed = 0
    while True:
        try:
            return await attempt()
        except Overtaken:
            overtaken += 1
            if overtaken == ATTEMPTS_WHEN_OVERTAKEN:
                raise
        except DBAPIError as error:
            failed += 1
            if failed == ATTEMPTS or not is_retryable(error):
                raise
            log.info("transaction.retried", attempt=failed, sqlstate=sqlstate(error))


AUTOCOMMIT = {"isolation_level": "AUTOCOMMIT"}


def log_entry(row: Mapping[str, Any]) -> None:
    """Log an entry of the audit log: who, what, and the names of what is different."""
    names = {*(row["before"] or ()), *(row["after"] or ())}
    log.info(
        "audit.recorded",
        action=row["action"],
        actor=f"{row['actor_type']}:{row['actor_name']}",
        actor_id=str(row["actor_id"]) if row["actor_id"] else None,
        resource=f"{row['resource_type']}:{row['resource_id']}",
        team_id=str(row["team_id"]) if row["team_id"] else None,
        changed=sorted(names),
    )


# Without it SQLAlchemy parts a list of rows at every change in which of their values are None.
AS_ONE_SET = {"render_nulls": True}

# asyncpg's own errors come through bare while a connection is being made.
DATABASE_AWAY = (
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)


class Overtaken(Exception):
    """Another transaction made the same row first, or deleted one; run the work again and see."""


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's five-character code of a database error."""
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def is_retryable(error: BaseException) -> bool:
    """Say whether running the whole transaction again may succeed."""
    return isinstance(error, Overtaken) or sqlstate(error) in RETRYABLE_SQLSTATES


def make_engine(
    url: str,
    *,
    pool_size: int = 10,
    max_overflow: int = 0,
    sealing_keys: Sequence[str] = (),
    monotonic: Callable[[], float] = monotonic_s,
) -> AsyncEngine:
    """Connect lazily to PostgreSQL; every session has timeouts and speaks UTC.

    `sealing_keys` seal what is `Sealed`, the first of them, and open it.
    """
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_timeout=4,
        hide_parameters=True,  # they hold addresses, and errors are logged
        connect_args={"server_settings": SERVER_SETTINGS, "timeout": 4, "command_timeout": 15},
    )
    replace_dead_connections(engine, monotonic)
    setattr(engine.dialect, tables.SEALER, Sealer(sealing_keys))
    return engine


def make_sessions(engine: AsyncEngine) -> Sessions:
    """Make sessions that keep their objects readable after the commit and never flush by surprise.

    They also remember what they change of the configuration; see `core.ledger`.

    Autoflush is off: sets are written by statements in the declared lock order, and a hidden
    flush in the middle of a read would break that order.
    """
    return async_sessionmaker(
        engine,
        sync_session_class=ledger.AuditedSession,
        expire_on_commit=False,
        autoflush=False,
    )


def measure_on_connect(engine: AsyncEngine, clock: DatabaseClock) -> None:
    """Have each new connection tell the clock what time it is in PostgreSQL.

    A process whose own clock is wrong by minutes would else page early or late until the first
    measurement, and again after PostgreSQL has failed over to another machine.
    """

    async def ask(connection: asyncpg.Connection) -> None:
        asked_at = clock.local_now()
        answer = await connection.fetchval("SELECT clock_timestamp()")
        clock.measure(asked_at, answer, clock.local_now())

    @event.listens_for(engine.sync_engine, "connect")
    def measure(adapted: AdaptedConnection, _record: object) -> None:
        adapted.run_async(ask)


async def database_now(session: AsyncSession) -> datetime:
    """Return PostgreSQL's present instant, to the moment of the statement."""
    now: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return now
