"""Say an event of a timeline in a sentence. Pure.

It is read without anything else at hand: who acted, why, who was paged and why them, who was not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from incident_service.incidents.timeline import EventKind

LISTED_PEOPLE = 20
LATE_S = 1.0


@dataclass(frozen=True, slots=True)
class Event:
    """What is stored of an event."""

    kind: str
    actor: Mapping[str, Any]
    reason: str | None
    data: Mapping[str, Any]

    @property
    def who(self) -> str:
        """The author, as the subject of a sentence."""
        name = str(self.actor.get("name"))
        match self.actor.get("type"):
            case "user":
                return name
            case "api_key":
                return f"The key “{name}”"
            case "integration":
                return f"The integration “{name}”"
            case "alerts":
                return "Its alerts"
            case _:
                return "The service"


def line(at: datetime, event: Event) -> str:
    """Return the event with its instant, as a line of text."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}  {sentence(event)}"


def sentence(event: Event) -> str:
    """Say what happened. Kinds that are not known here are named as they are.

    So is what another release has written, and holds something else than this one expects.
    """
    say = SENTENCES.get(event.kind, unknown)
    try:
        said = say(event)
    except (LookupError, TypeError, ValueError, AttributeError):
        said = unknown(event)
    return one_line(said)


def unknown(event: Event) -> str:
    """Name a kind that is not known here."""
    return with_reason(event, f"{event.who}: {event.kind}")


def with_reason(event: Event, text: str) -> str:
    """End a sentence with the reason, if there is one."""
    reason = (event.reason or "").strip().rstrip(".")
    return f"{text}: {reason}." if reason else f"{text}."


def doing(words: str) -> Callable[[Event], str]:
    """Make the sentence in which the author does something."""
    return lambda event: with_reason(event, f"{event.who} {words}")


def opened(event: Event) -> str:
    """Say what began it, and whether anybody is paged."""
    by = alerts_of(event) if event.data.get("count") else event.who
    text = with_reason(event, f"Opened by {inside(by)}, {event.data.get('priority')}")
    quiet = " Nobody is paged: its service does not page for that." if is_quiet(event) else ""
    return text + quiet


def is_quiet(event: Event) -> bool:
    """Say whether the incident began quiet."""
    return bool(event.data.get("is_quiet"))


def joined(event: Event) -> str:
    """Say how many alerts joined, and how urgent."""
    return with_reason(event, f"{alerts_of(event)} joined, {event.data.get('priority')}")


def ended(event: Event) -> str:
    """Say how many alerts ended, and what is left."""
    firing = event.data.get("firing_count", 0)
    left = f"{firing} still fire{'s' if firing == 1 else ''}" if firing else "none fires any more"
    return with_reason(event, f"{alerts_of(event)} ended; {left}")


def stale(event: Event) -> str:
    """Say that a sender has fallen silent."""
    return with_reason(event, f"{alerts_of(event)} went stale, not sent again for too long")


def prioritized(event: Event) -> str:
    """Say from what to what the priority went."""
    raised = "raised" if event.kind == EventKind.PRIORITY_RAISED else "lowered"
    text = f"{event.who} {raised} its priority from {event.data['from']} to {event.data['to']}"
    if event.data.get("falls_silent"):
        text += ", which pages nobody"
    return with_reason(event, text)


def paged(event: Event) -> str:
    """Say who was paged at a level and why them, who was not, and what follows when."""
    late_s = event.data.get("late_s", 0)
    late = f", {late_s:.0f} s late" if late_s >= LATE_S else ""
    channels = [each["name"] for each in event.data.get("channels", ())]
    return " ".join(
        part
        for part in (
            f"Paged {place(event.data)}{late}: {people(event.data['users'])}.",
            f"Also told: {', '.join(channels)}." if channels else "",
            not_paged(event.data),
            follows(event.data),
        )
        if part
    )


def skipped(event: Event) -> str:
    """Say which levels were passed over, and why."""
    levels = ", ".join(place(each) for each in event.data["levels"])
    return " ".join(
        part
        for part in (with_reason(event, f"Passed over {levels}"), not_paged(event.data))
        if part
    )


def unreached(event: Event) -> str:
    """Say that a level's pages came to nobody."""
    text = with_reason(event, f"{capital(place(event.data))} was reached by no page")
    return f"{text} The climb goes on at once."


def nobody(event: Event) -> str:
    """Say that the policy pages nobody, and who was told instead."""
    text = with_reason(event, "Nobody could be paged by the policy")
    return f"{text} {told_instead(event.data['told'])}"


def exhausted(event: Event) -> str:
    """Say that the policy ran out, and who was told."""
    text = with_reason(event, "The policy ran out and nobody had answered")
    return f"{text} {told_instead(event.data['told'])}"


def reminded(event: Event) -> str:
    """Say who was told again."""
    text = with_reason(event, "Nobody has answered yet")
    return f"{text} {told_instead(event.data['told'])}"


def assignee_paged(event: Event) -> str:
    """Say who is asked alone, and what follows."""
    return f"Paged {people(event.data['users'])}, nobody else. {follows(event.data)}"


def assignee_told(event: Event) -> str:
    """Say who heard of more alerts."""
    name = event.data["user"]["name"]
    return with_reason(event, f"Told {name}, who has it, of more alerts")


def page_failed(event: Event) -> str:
    """Say whom a page did not reach, and why."""
    name = event.data.get("user_name")
    whose = f"The page to {name}" if name else "A page"
    why = str(event.data.get("error") or "").strip().rstrip(".")
    text = f"{whose} by {event.data.get('channel')} was given up"
    return f"{text}: {why}." if why else f"{text}."


def reassigned(event: Event) -> str:
    """Say to whom it was handed."""
    if user := event.data.get("user"):
        return with_reason(event, f"{event.who} handed it to {user['name']}")
    name = event.data["policy"]["name"]
    return with_reason(event, f"{event.who} handed it to the policy “{name}”")


def snoozed(event: Event) -> str:
    """Say how long nobody is paged."""
    return with_reason(event, f"{event.who} snoozed it until {clock(event.data['until'])}")


def held(event: Event) -> str:
    """Say until when nobody is paged."""
    return with_reason(event, f"Held by maintenance until {clock(event.data['until'])}")


def resolved(event: Event) -> str:
    """Say who ended it, and what becomes of alerts that go on."""
    text = with_reason(event, f"{event.who} resolved it")
    if event.data.get("until_clear"):
        text += " Its alerts are not believed until each has been resolved once."
    return text


def noted(event: Event) -> str:
    """Say what somebody wrote down."""
    return f"{event.who} noted: {event.data['text']}"


def related(event: Event) -> str:
    """Say which incident was linked."""
    return with_reason(event, f"{event.who} linked it to #{event.data['incident']['number']}")


def unrelated(event: Event) -> str:
    """Say which link is gone."""
    number = event.data["incident"]["number"]
    return with_reason(event, f"{event.who} took away its link to #{number}")


SENTENCES: Mapping[str, Callable[[Event], str]] = {
    EventKind.OPENED: opened,
    EventKind.ALERTS_JOINED: joined,
    EventKind.ALERTS_RESOLVED: ended,
    EventKind.ALERTS_STALE: stale,
    EventKind.PRIORITY_RAISED: prioritized,
    EventKind.PRIORITY_LOWERED: prioritized,
    EventKind.PAGED: paged,
    EventKind.LEVELS_SKIPPED: skipped,
    EventKind.LEVEL_UNREACHED: unreached,
    EventKind.NOBODY_TO_PAGE: nobody,
    EventKind.EXHAUSTED: exhausted,
    EventKind.REMINDED: reminded,
    EventKind.ASSIGNEE_PAGED: assignee_paged,
    EventKind.ASSIGNEE_TOLD: assignee_told,
    EventKind.PAGE_FAILED: page_failed,
    EventKind.ACKNOWLEDGED: doing("acknowledged it"),
    EventKind.UNACKNOWLEDGED: doing("gave it back"),
    EventKind.ACKNOWLEDGE_TIMED_OUT: lambda event: with_reason(
        event, "The acknowledge timed out; it is open again"
    ),
    EventKind.ESCALATED: doing("escalated it to the next level"),
    EventKind.RESTARTED: doing("began the climb again at level 1"),
    EventKind.REASSIGNED: reassigned,
    EventKind.SNOOZED: snoozed,
    EventKind.SNOOZE_ENDED: lambda event: with_reason(event, "The snooze ended"),
    EventKind.MAINTENANCE_HELD: held,
    EventKind.MAINTENANCE_ENDED: lambda event: with_reason(event, "Maintenance holds it no more"),
    EventKind.RESOLVED: resolved,
    EventKind.REOPENED: doing("reopened it"),
    EventKind.CLOSED: doing("closed it"),
    EventKind.NOTED: noted,
    EventKind.RELATED: related,
    EventKind.UNRELATED: unrelated,
}


def one_line(text: str) -> str:
    """Replace line breaks and control characters: an event is a line."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())


def alerts_of(event: Event) -> str:
    """Say how many alerts it is about, and whose."""
    count = event.data["count"]
    of = f" of “{event.actor['name']}”" if event.actor.get("type") == "integration" else ""
    return f"{count} alert{'' if count == 1 else 's'}{of}"


def capital(text: str) -> str:
    """Return the text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def inside(who: str) -> str:
    """Return an author as part of a sentence."""
    return who[:1].lower() + who[1:] if who.startswith(("The ", "Its ")) else who


def place(at: Mapping[str, Any]) -> str:
    """Name a level, and the pass when it is not the first."""
    again = f" (pass {at['repeat']})" if at.get("repeat", 1) > 1 else ""
    return f"level {at['level']}{again}"


def people(told: Sequence[Mapping[str, Any]]) -> str:
    """Name people, and why each of them; of many, the first."""
    named = [person(each) for each in told[:LISTED_PEOPLE]]
    more = f" and {len(told) - LISTED_PEOPLE} more" if len(told) > LISTED_PEOPLE else ""
    return ", ".join(named) + more if named else "nobody"


def person(told: Mapping[str, Any]) -> str:
    """Name somebody who was told, and why."""
    why = " and ".join(map(because, told.get("because", ())))
    return f"{told['name']} ({why})" if why else str(told["name"])


def because(target: Mapping[str, Any]) -> str:
    """Say why somebody was told."""
    match target["type"]:
        case "user":
            return "named by the level"
        case "schedule":
            return f"on call in {target.get('name') or 'a schedule'}"
        case "entire_team":
            return "of the team"
        case "manager":
            return "manages the team"
        case "fallback":
            return "of the installation"
        case other:
            return str(other)


def not_paged(data: Mapping[str, Any]) -> str:
    """Say who could not be paged and why, and which targets meant nobody; empty: nobody."""
    missed = [
        f"{each['name']} {each.get('why', 'cannot be reached')}"
        for each in data.get("unreachable", ())
    ]
    if len(missed) > LISTED_PEOPLE:
        missed[LISTED_PEOPLE:] = [f"{len(missed) - LISTED_PEOPLE} more people"]
    found = [*missed, *map(means_nobody, data.get("empty", ()))]
    return f"Not paged: {'; '.join(found)}." if found else ""


def means_nobody(target: Mapping[str, Any]) -> str:
    """Say why a target means nobody."""
    match target["type"]:
        case "schedule" if target.get("name"):
            return f"nobody is on call in {target['name']}"
        case "schedule":
            return "a schedule was deleted"
        case "entire_team":
            return "the team has no managers or responders"
        case "team_channel":
            return "a channel of the team is switched off or deleted"
        case _:
            return "somebody was deleted"


def told_instead(told: Sequence[Mapping[str, Any]]) -> str:
    """Say who was told because no level answers."""
    return f"Told {people(told)}." if told else "There is nobody to tell."


def follows(data: Mapping[str, Any]) -> str:
    """Say what follows when nobody answers."""
    if data.get("next_is_end"):
        return f"Unless somebody answers, the policy has run out at {clock(data['next_at'])}."
    return f"Unless somebody answers, {place(data['next'])} follows at {clock(data['next_at'])}."


def clock(instant: str) -> str:
    """Write an instant that is stored as text."""
    return f"{datetime.fromisoformat(instant).astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
