"""What can go wrong, in domain words.

    DomainError
    ├── Malformed          400   the request cannot be read
    ├── Unauthenticated    401   who are you?
    ├── Forbidden          403   you may not
    ├── NotFound           404   not there, or not yours
    ├── Conflict           409   its present state rules this out
    ├── PreconditionFailed 412   it is not what the caller saw
    ├── TooLarge           413
    ├── UnsupportedMedia   415
    ├── Invalid            422   readable, but wrong
    ├── TooSlow            408
    └── Unavailable        503   try again later

`web.problems` maps each family to its status, once. The message is safe to show to the caller:
it says what to do and never repeats input.
"""

import re
from collections.abc import Mapping
from typing import ClassVar


class DomainError(Exception):
    """A request the domain refuses; `retry_after_s`: when the same may be tried again."""

    retry_after_s: ClassVar[int | None] = None

    @property
    def code(self) -> str:
        """A stable snake_case name for programs, from the class name."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()

    @property
    def detail(self) -> str:
        """A sentence for people: the message, or else the class's own first line."""
        return str(self) or (type(self).__doc__ or "").split("\n", 1)[0]


class Malformed(DomainError):
    """The request cannot be read."""


class Unauthenticated(DomainError):
    """A valid key is needed."""

    challenge = "Bearer"  # how it may be sent, as `WWW-Authenticate` has it


class Forbidden(DomainError):
    """The key does not allow this."""


class NotFound(DomainError):
    """It does not exist, or not for this caller."""


class Conflict(DomainError):
    """Its present state rules this out."""


class PreconditionFailed(DomainError):
    """It is not as `If-Match` says any more; read it again, and decide anew."""


class TooLarge(DomainError):
    """The request is larger than the service accepts."""


class UnsupportedMedia(DomainError):
    """The body is of a kind that the service does not read; the headers say what it reads."""

    accepted: Mapping[str, str] = {"Accept": "application/json"}


class Invalid(DomainError):
    """A value is readable but wrong. `pointer` is the JSON pointer of the field."""

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


class Incomplete(Malformed):
    """The connection ended before the body did."""


class TooSlow(DomainError):
    """The request body did not arrive in time."""


class Unavailable(DomainError):
    """The service cannot do this now; try again shortly."""
