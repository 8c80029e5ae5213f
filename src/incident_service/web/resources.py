"""What a single thing of the API looks like, and the tag that tells its states apart."""

from typing import ClassVar

from incident_service.web.fields import Response
from incident_service.web.preconditions import Tag, tag_of


class Resource(Response):
    """A thing that has an address of its own, as it is shown there.

    Subclasses name in `noted` the fields that the service writes by itself, and in `told_once`
    those that are in the answer to one request only.
    """

    noted: ClassVar[frozenset[str]] = frozenset()
    told_once: ClassVar[frozenset[str]] = frozenset()

    @property
    def tag(self) -> Tag:
        """The tag of what GET shows: the same whichever request is answered."""
        shown = self.model_dump(mode="json", exclude=set(self.told_once))
        noted = {name: shown.pop(name) for name in self.noted}
        return tag_of(shown, noted)
