"""Write a report as Markdown. Pure.

Titles, labels and names are other people's texts: what Markdown or HTML could read in them is
escaped, and they stay on their line.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from incident_service.hindsight.report import Deed, Report
from incident_service.incidents.sentences import one_line

DEEDS_SHOWN = 20
SPECIAL = re.compile(r"([\\`*_\[\]<>|#&~!])")


def as_markdown(report: Report) -> str:
    """Write the report."""
    return "\n".join(lines(report)) + "\n"


def lines(report: Report) -> Iterator[str]:
    """Write the report line by line."""
    yield f"# Incident {report.number}: {plain(report.title)}"
    yield ""
    yield from summary(report)
    yield ""
    yield "## What happened"
    yield ""
    yield from story(report)
    yield ""
    yield "## Who did what"
    yield ""
    for person in report.who_did_what:
        yield f"- {plain(person.name)}: {listed(person.deeds)}"
    if not report.who_did_what:
        yield "Nobody did anything."
    yield ""
    yield "## Pages by person"
    yield ""
    yield "| Who | Pages | Updates | Failed | Taken back | First | Last |"
    yield "|---|---|---|---|---|---|---|"
    for each in report.pages_by_person:
        counts = f"{each.pages} | {each.updates} | {each.failed} | {each.taken_back}"
        yield f"| {plain(each.name)} | {counts} | {clock(each.first_at)} | {clock(each.last_at)} |"


def story(report: Report) -> Iterator[str]:
    """Write what happened; where events are left out it says how many."""
    before = 0
    for line in report.timeline:
        if between := line.sequence - before - 1:
            yield left_out(between)
        yield f"- {clock(line.at)}: {plain(line.said)}"
        before = line.sequence
    told = sum(line.sequence <= before for line in report.timeline)
    if after := report.events_left_out - (before - told):
        yield left_out(after)


def left_out(count: int) -> str:
    """Stand for events that are not written."""
    return f"- … {count} more"


def listed(deeds: Sequence[Deed]) -> str:
    """Write what somebody did: the first deeds, and how many more."""
    shown = [f"{plain(each.kind)} at {clock(each.at)}" for each in deeds[:DEEDS_SHOWN]]
    more = len(deeds) - len(shown)
    return ", ".join(shown) + (f", and {more} more" if more else "")


def summary(report: Report) -> Iterator[str]:
    """Write the facts at a glance."""
    yield f"- Service: {plain(report.service_name)}, of team {plain(report.team_name)}"
    quiet = ", quiet" if report.is_quiet else ""
    yield f"- Status: {report.status}, priority {report.priority}{quiet}"
    labels = ", ".join(f"{name}={value}" for name, value in sorted(report.labels.items()))
    yield f"- Labels: {plain(labels) or 'none'}"
    yield f"- Began: {clock(report.began_at)}"
    yield f"- Acknowledged: {done(report.time_to_acknowledge_s, report.acknowledged_by)}"
    yield f"- Resolved: {done(report.time_to_resolve_s, report.resolved_by)}"
    exhausted = "; the policy ran out" if report.was_exhausted else ""
    highest = f", up to level {report.highest_level}" if report.levels_paged else ""
    yield f"- Levels paged: {report.levels_paged}{highest}{exhausted}"
    yield f"- Alerts: {report.alert_count}; reopened: {report.reopened}"


def done(after_s: float | None, by: str | None) -> str:
    """Say after how long something was done, and by whom."""
    if after_s is None:
        return "no"
    named = f", by {plain(by)}" if by else ""
    return f"after {timedelta(seconds=round(after_s))}{named}"


def plain(text: str) -> str:
    """Write a text so that it means nothing but itself, on one line."""
    return SPECIAL.sub(r"\\\1", one_line(text))


def clock(at: datetime | None) -> str:
    """Write an instant."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "-"
