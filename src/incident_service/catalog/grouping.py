"""Decide which labels a service groups its alerts by. Pure."""

from collections.abc import Sequence

from incident_service.catalog.models import Grouping
from incident_service.core.errors import Invalid


class GroupingLabelsWrong(Invalid):
    """`grouping_labels` and `grouping` do not go together."""


def labels_for(
    grouping: Grouping, sent: Sequence[str] | None, present: Sequence[str] = ()
) -> list[str]:
    """Return the labels to keep, each once; `sent` is None when the caller left them out.

    Labels that a service had are forgotten when it stops to group by labels.

    Raises:
        GroupingLabelsWrong: they are missing, or sent where they mean nothing.
    """
    if grouping is Grouping.LABELS:
        wanted = list(dict.fromkeys(present if sent is None else sent))
        if not wanted:
            raise GroupingLabelsWrong(
                "Grouping by labels needs at least one label.", "/grouping_labels"
            )
        return wanted
    if sent:
        raise GroupingLabelsWrong(
            "Only the grouping `labels` has grouping_labels.", "/grouping_labels"
        )
    return []
