"""Whatever order transactions commit in, and wherever a reader is cut off: nothing is lost."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from incident_service.incidents.stream import progress
from incident_service.incidents.stream.cursor import Place
from incident_service.incidents.stream.progress import Entry, Progress, go_on

INCIDENTS = [UUID(int=number) for number in range(3)]
START = Progress(Place(0, 0))


@dataclass
class Log:
    """A log as PostgreSQL keeps it: transactions are numbered when they begin to write."""

    committed: list[Entry] = field(default_factory=list)
    running: dict[int, list[UUID]] = field(default_factory=dict)
    sequences: dict[UUID, int] = field(default_factory=dict)
    xact: int = 0
    position: int = 0

    def begin(self) -> None:
        self.xact += 1
        self.running[self.xact] = []

    def commit(self, xact: int, incidents: Sequence[UUID]) -> None:
        """Have a transaction take its locks, write and commit at once."""
        for incident_id in incidents:
            self.position += 1
            sequence = self.sequences.get(incident_id, 0) + 1
            self.sequences[incident_id] = sequence
            self.committed.append(Entry(Place(xact, self.position), incident_id, sequence))
        del self.running[xact]

    def window(self, behind: Place, size: int) -> list[Entry]:
        horizon = min(self.running, default=self.xact + 1)
        found = sorted(
            (entry for entry in self.committed if entry.place > behind),
            key=lambda entry: entry.place,
        )
        return [
            Entry(each.place, each.incident_id, each.sequence, each.place.xact < horizon)
            for each in found[:size]
        ]

    def wanted(self, window: Sequence[Entry], behind: Place, of: set[UUID]) -> list[Entry]:
        last = {
            id_: max((each.sequence for each in window if each.incident_id == id_), default=0)
            for id_ in of
        }
        return [
            entry
            for entry in self.committed
            if entry.place > behind and entry.sequence <= last.get(entry.incident_id, 0)
        ]


@dataclass
class Reader:
    """A client that resumes from the last id that reached it."""

    log: Log
    wants: set[UUID]
    size: int
    now: Progress = START
    last_id: Place = START.behind
    heard: list[Entry] = field(default_factory=list)
    connection: list[Entry] = field(default_factory=list)

    def read(self, *, cut_after: int | None = None) -> None:
        by_place = {entry.place: entry for entry in self.log.committed}
        behind = self.now.behind
        window = self.log.window(behind, self.size + len(self.now.seen))
        told, self.now = go_on(self.now, window, self.log.wanted(window, behind, self.wants))
        for each in told[:cut_after]:
            self.heard.append(by_place[each.place])
            self.connection.append(by_place[each.place])
            self.last_id = each.resume
        if cut_after is not None:
            self.now, self.connection = Progress(self.last_id), []

    def sequences(self, entries: Sequence[Entry], incident_id: UUID) -> list[int]:
        return [entry.sequence for entry in entries if entry.incident_id == incident_id]


incidents = st.lists(st.sampled_from(INCIDENTS), min_size=1, max_size=3, unique=True)
actions = st.one_of(
    st.just(("begin",)),
    st.tuples(st.just("commit"), st.integers(0, 5), incidents),
    st.tuples(st.just("read"), st.one_of(st.none(), st.integers(0, 4))),
)


@given(st.lists(actions, max_size=60), st.integers(1, 5), st.sets(st.sampled_from(INCIDENTS)))
def test_every_event_comes_in_the_order_of_its_incident_and_none_is_lost(plan, size, wants):
    log = Log()
    reader = Reader(log, wants, size)
    for action in plan:
        match action:
            case ("begin",):
                log.begin()
            case ("commit", int(index), list(touched)) if log.running:
                xacts = sorted(log.running)
                log.commit(xacts[index % len(xacts)], touched)
            case ("read", cut_after):
                reader.read(cut_after=cut_after)
                for id_ in INCIDENTS:
                    once = reader.sequences(reader.connection, id_)
                    assert once == sorted(set(once))  # in order, and once for each connection
            case _:
                pass

    log.running.clear()
    for _ in range(2 * len(log.committed) + 1):
        reader.read()

    for id_ in wants:
        known: list[int] = []
        for sequence in reader.sequences(reader.heard, id_):
            if not known or sequence > known[-1]:
                known.append(sequence)  # what a client does: it drops what it has
        assert known == list(range(1, log.sequences.get(id_, 0) + 1))
    assert {entry.incident_id for entry in reader.heard} <= wants
    assert reader.now.seen == frozenset()


def test_memory_has_an_end():
    behind = Place(1, 0)
    full = Progress(behind, frozenset(Place(2, number) for number in range(progress.MOST_SEEN)))

    assert progress.window_size(Progress(behind)) == progress.PAGE
    assert progress.window_size(full) == progress.MOST_SEEN
