"""Webhooks as Alertmanager writes them, with texts that nobody likes; and damage done to bytes."""

from typing import Any

from hypothesis import strategies as st

NASTY = st.sampled_from(
    ["", " ", "\0", "\ud800", "\U0001f6a8", "\ufeff", "\u2028", "\x07", '"', "\\", "\\u0000", "[{",
     "e\u0301", "x" * 255, "x" * 256, "x" * 257, "x" * 4096, "x" * 4097, "firing", "alertname"]
)  # fmt: skip
TIDY = st.sampled_from(
    ["firing", "alertname", "°C", "\U0001f6a8", "\u2028", "[{", "x" * 255]
) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8
)
ANY = TIDY | NASTY | st.text(max_size=8)
STATUSES = st.sampled_from(["firing", "resolved"])
INSTANTS = st.sampled_from(
    ["0001-01-01T00:00:00Z", "2026-11-02T11:59:00Z", "2026-11-02T11:59:00.123456789+02:00",
     "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z", "1793620740", "soon", ""]
)  # fmt: skip
JUNK: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | ANY | st.just([]) | st.just({})
)


def webhooks(texts: st.SearchStrategy[str] = TIDY) -> st.SearchStrategy[dict[str, Any]]:
    """Whole webhooks of these texts; only fields that nobody reads hold anything."""
    labels = st.dictionaries(texts, texts, max_size=4)
    alert = st.fixed_dictionaries(
        {
            "status": STATUSES,
            "labels": labels,
            "annotations": labels,
            "startsAt": INSTANTS,
            "endsAt": INSTANTS | texts,
            "fingerprint": texts,
        },
        optional={"generatorURL": texts, "values": JUNK},
    )
    return st.fixed_dictionaries(
        {"alerts": st.lists(alert, max_size=4), "groupLabels": labels},
        optional={
            "truncatedAlerts": st.integers(0, 2**70),
            "status": STATUSES | JUNK,
            "groupKey": JUNK,
            "extra": JUNK,
        },
    )


@st.composite
def odd_webhooks(draw: st.DrawFn) -> dict[str, Any]:
    """Webhooks of any texts, with a field or two that hold something else."""
    document = draw(webhooks(ANY))
    for holder in draw(st.lists(st.sampled_from([document, *document["alerts"]]), max_size=2)):
        holder[draw(st.sampled_from(sorted(holder)))] = draw(JUNK)
    return document


PIECES = (
    b"", b"\0", b"\xff", b'"', b"\\", b"0", b"[", b",", b"1e999", b"NaN", b"\xed\xa0\x80",
    b"\\ud800", b'"labels":{}', b'"status":"resolved",', b'"fingerprint":" "',
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    """Damage a body here and there: bytes are lost, doubled, moved, or other ones."""
    data = draw(bodies)
    for _ in range(draw(st.integers(1, 3))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(data))] * 2)))
        end = min(end, start + 40)
        piece = draw(st.sampled_from([*PIECES, data[start:end] * 2]))
        data = data[:start] + piece + data[end:]
    return data
