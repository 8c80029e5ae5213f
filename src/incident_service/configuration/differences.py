"""Decide what has to change for an installation to be as a file says. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from incident_service.configuration.document import (
    ContactMethodEntry,
    Document,
    IntegrationEntry,
    LayerEntry,
    RuleEntry,
    ScheduleEntry,
    SubscriptionEntry,
    TeamChannelEntry,
    UserEntry,
)
from incident_service.web.fields import Request


class Kind(StrEnum):
    """What can be configured, in the order in which it is made: later ones name earlier ones."""

    USER = "user"
    CONTACT_METHOD = "contact method"
    TEAM = "team"
    MEMBER = "member"
    CHANNEL = "channel"
    SCHEDULE = "schedule"
    LAYER = "layer"
    POLICY = "escalation policy"
    SERVICE = "service"
    INTEGRATION = "integration"
    ROUTING_RULES = "routing rules"
    SUBSCRIPTION = "webhook subscription"


class Verb(StrEnum):
    """What is done to a thing."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    KEEP = "keep"


Path = tuple[str, ...]
"""Names from the outside in, such as a team's, then a service's."""
SIGNS = {Verb.CREATE: "+", Verb.CHANGE: "~", Verb.DELETE: "-", Verb.KEEP: "="}

# What belongs to a thing, by the field of its entry; compared one by one, not with the entry.
PARTS: Mapping[Kind, Mapping[str, Kind]] = {
    Kind.USER: {"contact_methods": Kind.CONTACT_METHOD},
    Kind.TEAM: {
        "members": Kind.MEMBER,
        "channels": Kind.CHANNEL,
        "schedules": Kind.SCHEDULE,
        "escalation_policies": Kind.POLICY,
        "services": Kind.SERVICE,
        "webhook_subscriptions": Kind.SUBSCRIPTION,
    },
    Kind.SERVICE: {"integrations": Kind.INTEGRATION},
}


@dataclass(eq=False, slots=True)
class Row:
    """A thing that is there, or that will be: then its id is known once it has been made.

    `kept` is why it cannot be deleted. `parts` are what belongs to it, by kind; `of` is what it
    belongs to itself.
    """

    entry: Request
    id: UUID | None = None
    kept: str = ""
    parts: dict[Kind, list["Row"]] = field(default_factory=dict)
    of: "Row | None" = None

    @property
    def known_id(self) -> UUID:
        """The id of a thing that has been made."""
        assert self.id is not None, "it is made before others name it"
        return self.id


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to do. `row` gets its id when it is made; `fields` are for people to read."""

    verb: Verb
    kind: Kind
    path: Path
    row: Row
    after: Request | None = None
    fields: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Name the thing, such as `service Payments / Checkout`."""
        return f"{self.kind} {' / '.join(self.path)}"

    def __str__(self) -> str:
        """Say in a line what is done."""
        stays = " stays" if self.verb is Verb.KEEP else ""
        more = f": {'; '.join(self.fields)}" if self.fields else ""
        return f"{SIGNS[self.verb]} {self.title}{stays}{more}"


@dataclass(slots=True)
class Names:
    """Finds things by the names that they will have."""

    rows: dict[tuple[Kind, Row | None, str], Row] = field(default_factory=dict)

    def add(self, kind: Kind, row: Row, entry: Request) -> None:
        """Let the row be found by its entry's name, within what it belongs to."""
        self.rows[kind, row.of, name_of(kind, entry)] = row

    def find(self, kind: Kind, of: Row | None, name: str) -> Row | None:
        """Return the row of this name, if there is one."""
        return self.rows.get((kind, of, name))


@dataclass(slots=True)
class Plan:
    """Everything that has to change, in the order in which it can be done."""

    changes: list[Change] = field(default_factory=list)
    names: Names = field(default_factory=Names)

    @property
    def is_empty(self) -> bool:
        """Say whether the installation is as the file says."""
        return all(change.verb is Verb.KEEP for change in self.changes)

    def summary(self) -> str:
        """Count what is done."""
        count = {verb: sum(change.verb is verb for change in self.changes) for verb in Verb}
        if self.is_empty:
            return "Nothing to change."
        return (
            f"{count[Verb.CREATE]} to create, {count[Verb.CHANGE]} to change, "
            f"{count[Verb.DELETE]} to delete."
        )


def compare(present: Mapping[Kind, list[Row]], wanted: Document, *, prune: bool) -> Plan:
    """Compare what is there with what a file says.

    What the file does not name stays, unless `prune`: then it goes from each list that the file
    has.
    """
    comparison = Comparison(prune)
    lists = {
        Kind.USER: wanted.users,
        Kind.TEAM: wanted.teams,
        Kind.SUBSCRIPTION: wanted.webhook_subscriptions,
    }
    comparison.lists(None, (), present, lists)
    order = list(Kind)
    made = [change for change in comparison.changes if change.verb is not Verb.DELETE]
    gone = [change for change in comparison.changes if change.verb is Verb.DELETE]
    made.sort(key=lambda change: order.index(change.kind))
    gone.sort(key=lambda change: -order.index(change.kind))
    return Plan([*made, *gone], comparison.names)


class Comparison:
    """Goes through what is there and what is wanted, side by side."""

    def __init__(self, prune: bool) -> None:  # noqa: FBT001 - the caller's own word
        self._prune = prune
        self.changes: list[Change] = []
        self.names = Names()

    def lists(
        self,
        of: Row | None,
        path: Path,
        present: Mapping[Kind, list[Row]],
        wanted: Mapping[Kind, Sequence[Request] | None],
    ) -> None:
        """Compare everything that belongs to one thing."""
        for kind, entries in wanted.items():
            for row, entry in pairs(kind, present.get(kind, []), entries or []):
                if entry is not None:
                    self._named(kind, path, row or Row(entry), of, entry)
                elif row is not None:
                    self._not_named(kind, path, row, of, prune=self._prune and entries is not None)

    def _named(self, kind: Kind, path: Path, row: Row, of: Row | None, entry: Request) -> None:
        row.of = of
        here = (*path, shown_name(kind, entry))
        if row.id is None:
            self.changes.append(Change(Verb.CREATE, kind, here, row, after=entry))
        elif fields := tuple(differing(kind, row.entry, entry)):
            self.changes.append(Change(Verb.CHANGE, kind, here, row, entry, fields))
        self.names.add(kind, row, entry)
        if isinstance(entry, IntegrationEntry):
            self._rules(here, row, entry)
        self.lists(row, here, row.parts, parts_of(kind, entry))

    def _rules(self, path: Path, row: Row, entry: IntegrationEntry) -> None:
        """Compare the rules of an integration: they can be written once all services are there."""
        before: list[RuleEntry] = []
        if row.id is not None and isinstance(row.entry, IntegrationEntry):
            before = row.entry.routing_rules
        if before != entry.routing_rules:
            fields = (counted("rules", before, entry.routing_rules),)
            self.changes.append(Change(Verb.CHANGE, Kind.ROUTING_RULES, path, row, entry, fields))

    def _not_named(self, kind: Kind, path: Path, row: Row, of: Row | None, *, prune: bool) -> None:
        row.of = of
        here = (*path, shown_name(kind, row.entry))
        if not prune or row.kept:
            self._stays(kind, here, row, pruned=prune)
            return
        for part in PARTS.get(kind, {}).values():
            for each in row.parts.get(part, ()):
                self._not_named(part, here, each, row, prune=True)
        self.changes.append(Change(Verb.DELETE, kind, here, row))

    def _stays(self, kind: Kind, path: Path, row: Row, *, pruned: bool) -> None:
        """Let a thing be named by others; what would have been pruned is switched off or told."""
        self.names.add(kind, row, row.entry)
        for part in PARTS.get(kind, {}).values():
            for each in row.parts.get(part, ()):
                each.of = row
                self._stays(part, (*path, shown_name(part, each.entry)), each, pruned=False)
        if not pruned:
            return
        off = switched_off(row.entry)
        if off is None:
            self.changes.append(Change(Verb.KEEP, kind, path, row, fields=(row.kept,)))
        elif off != row.entry:
            fields = (*differing(kind, row.entry, off), row.kept)
            self.changes.append(Change(Verb.CHANGE, kind, path, row, off, fields))


def switched_off(entry: Request) -> Request | None:
    """Return the entry as it is when it is not used any more; None: it has no such state."""
    match entry:
        case UserEntry():
            return entry.model_copy(update={"is_active": False})
        case ContactMethodEntry() | TeamChannelEntry():
            return entry.model_copy(update={"is_enabled": False})
        case _:
            return None


def name_of(kind: Kind, entry: Any) -> str:  # noqa: ANN401 - any entry
    """Return the name by which others know an entry, within what it belongs to."""
    match kind:
        case Kind.USER:
            return str(entry.email).lower()
        case Kind.MEMBER:
            return str(entry.user)
        case Kind.CONTACT_METHOD:
            return f"{entry.kind}:{entry.address}"
        case _:
            return str(entry.name)


def shown_name(kind: Kind, entry: Request) -> str:
    """Return the name for people to read: addresses may be secrets, and plans end in logs."""
    if isinstance(entry, ContactMethodEntry):
        return str(entry.kind)
    return name_of(kind, entry)


def pairs(
    kind: Kind, rows: Sequence[Row], entries: Sequence[Request]
) -> Iterator[tuple[Row | None, Request | None]]:
    """Pair what is there with what is wanted: by its id, or else by name.

    A name to the letter comes before one that differs in case, which PostgreSQL takes for the
    same; addresses have to be the same to the letter. Rows that nothing names come last, without an
    entry.
    """
    left = list(rows)

    def exact(entry: Request) -> str:
        return name_of(kind, entry)

    def folded(entry: Request) -> str:
        return exact(entry) if kind is Kind.CONTACT_METHOD else exact(entry).lower()

    def take(key: Callable[[Request], str | None], wanted: str | None) -> Row | None:
        found = next((row for row in left if wanted and key(row.entry) == wanted), None)
        if found is not None:
            left.remove(found)
        return found

    found = [take(identity, identity(entry)) for entry in entries]
    for key in (exact, folded):
        found = [row or take(key, key(entry)) for entry, row in zip(entries, found, strict=True)]
    yield from zip(found, entries, strict=True)
    for row in left:
        yield row, None


def identity(entry: Any) -> str | None:  # noqa: ANN401 - any entry
    """Return what tells a thing apart better than its name: a tool's id for it, or its key.

    Subscriptions may share a name, and are then told apart by their URLs.
    """
    if isinstance(entry, IntegrationEntry):
        return entry.key_digest
    if isinstance(entry, SubscriptionEntry):
        return f"{entry.url} {entry.name}"
    return getattr(entry, "external_id", None)


def parts_of(kind: Kind, entry: Request) -> dict[Kind, Sequence[Request] | None]:
    """Return the lists of an entry that are compared one by one."""
    return {part: getattr(entry, name) for name, part in PARTS.get(kind, {}).items()}


def differing(kind: Kind, before: Request, after: Request) -> Iterator[str]:
    """Say which of an entry's own fields differ, and how."""
    apart = {*PARTS.get(kind, {}), "routing_rules", *unsaid(after)}
    for name in type(after).model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if name in apart or old == new:
            continue
        if isinstance(after, ScheduleEntry) and name == "layers" and same_layers(before, after):
            continue
        if isinstance(after, SubscriptionEntry) and name == "url":
            yield "url changed"  # it may hold a secret, and plans end in logs
        elif isinstance(new, list | dict):
            yield counted(name, old, new)
        else:
            yield f"{name} {shown(old)} → {shown(new)}"


def unsaid(entry: Request) -> Iterable[str]:
    """Return the fields that an entry says nothing about, so that they stay."""
    if isinstance(entry, IntegrationEntry) and entry.key_digest is None:
        return ("key_digest", "key_hint")
    return ()


def counted(name: str, old: Any, new: Any) -> str:  # noqa: ANN401 - lists or mappings
    """Say that a list differs."""
    return f"{name} {len(old)} → {len(new)}" if len(old) != len(new) else f"{name} changed"


def shown(value: Any) -> str:  # noqa: ANN401 - any plain value
    """Write a value for the plan."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def same_layers(before: Request, after: ScheduleEntry) -> bool:
    """Say whether the layers of two schedules are the same, and in the same order."""
    assert isinstance(before, ScheduleEntry)
    return len(before.layers) == len(after.layers) and all(
        map(same_layer, before.layers, after.layers)
    )


def same_layer(before: LayerEntry, after: LayerEntry) -> bool:
    """Say whether two layers are the same but for whose turn it is.

    The order of participants is a circle. A `starts_at` that is left out stays as it is.
    """
    apart = {"participants"} if after.starts_at else {"participants", "starts_at"}
    if before.model_dump(exclude=apart) != after.model_dump(exclude=apart):
        return False
    old = before.participants
    return after.participants in [old[turn:] + old[:turn] for turn in range(len(old))]
