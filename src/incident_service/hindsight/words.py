"""Put what happened in words. Pure."""

from typing import Any

from incident_service.incidents.timeline import EventKind

SAID: dict[str, str] = {
    EventKind.OPENED: "The incident was opened",
    EventKind.ALERTS_JOINED: "More alerts joined",
    EventKind.ALERTS_RESOLVED: "Alerts were resolved",
    EventKind.ALERTS_STALE: "Alerts are no longer sent",
    EventKind.PRIORITY_RAISED: "The priority was raised",
    EventKind.PAGED: "Level {level} was paged",
    EventKind.LEVELS_SKIPPED: "Levels were skipped",
    EventKind.LEVEL_UNREACHED: "No channel took the page of level {level}",
    EventKind.NOBODY_TO_PAGE: "Nobody could be paged",
    EventKind.EXHAUSTED: "The policy ran out",
    EventKind.REMINDED: "Nobody had answered, and people were told again",
    EventKind.ASSIGNEE_TOLD: "The assignee was told of more alerts",
    EventKind.PAGE_FAILED: "A page was given up",
    EventKind.ACKNOWLEDGE_TIMED_OUT: "The acknowledge timed out",
    EventKind.SNOOZED: "Snoozed until {until}",
}


def describe(kind: str, reason: str | None, data: dict[str, Any]) -> str:
    """Say what happened, whom it reached, and why. The author is named elsewhere."""
    said = SAID.get(kind, kind.replace("_", " ").capitalize())
    said = said.format_map({"level": data.get("level", "?"), "until": data.get("until", "?")})
    told = names_in(data, "users") + names_in(data, "channels") + names_in(data, "told")
    if told:
        said += f": {', '.join(told)}"
    missed = names_in(data, "unreachable")
    if missed:
        said += f"; not to be reached: {', '.join(missed)}"
    return f"{said} ({reason.rstrip('.')})." if reason else f"{said}."


def names_in(data: dict[str, Any], key: str) -> list[str]:
    """Return the names of the people or channels that an event lists."""
    listed = data.get(key)
    if not isinstance(listed, list):
        return []
    return [str(each["name"]) for each in listed if isinstance(each, dict) and "name" in each]
