"""How much a label holds, and what is refused where a person gives labels."""

from typing import Annotated

from pydantic import Field, StringConstraints

from incident_service.web.fields import Text

LONGEST_NAME = 256
LONGEST_LABEL = 4 * 1024
"""Code points. Of alerts, what is longer is shortened."""
MOST_LABELS = 64

LabelName = Annotated[Text, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
LabelValue = Annotated[Text, StringConstraints(max_length=LONGEST_LABEL)]
Labels = Annotated[
    dict[LabelName, LabelValue],
    Field(max_length=MOST_LABELS, examples=[{"region": "eu-west"}]),
]
