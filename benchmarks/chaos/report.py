"""Say in Markdown what a run saw. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from benchmarks.chaos.checks import Outcome
from benchmarks.chaos.plan import Kind
from benchmarks.chaos.senders import Tally

SHOWN = 50


def report(
    outcome: Outcome, tally: Tally, happened: Sequence[tuple[datetime, Kind]], took_s: float
) -> str:
    """Return two tables and the violations."""
    times = Counter(kind for _, kind in happened)
    faults = [
        f"| {kind.value} | {times[kind]} | {outcome.worst_late_s.get(kind, 0.0):.1f} |"
        for kind in Kind
    ]
    counts = outcome.counts
    rows = {
        "seconds": f"{took_s:.0f}",
        "faults": str(len(happened)),
        "alerts answered with 2xx, repeats included": str(tally.answered),
        "webhooks that got no answer, or 503, and were sent again": str(
            tally.failed + tally.refused
        ),
        "episodes stored": str(counts["episodes"]),
        "incidents": str(counts["incidents"]),
        "steps taken": str(counts["steps"]),
        "pages sent, failed for good": f"{counts['pages']}, {counts['failed']}",
        "deliveries that the receiver saw": str(counts["deliveries"]),
        "answers of responders that nothing reopened": str(counts["held"]),
        "**violations**": f"**{len(outcome.violations)}**",
    }
    return "\n".join(
        [
            "| fault | times | worst lateness of a step until the next fault, s |",
            "|---|---|---|",
            *faults,
            "",
            "| seen | |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in rows.items()),
            *(f"\nVIOLATION {violation}" for violation in outcome.violations[:SHOWN]),
        ]
    )
