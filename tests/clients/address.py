"""What a client has to know."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Address:
    base_url: str
    key: str
    pager_url: str

    @property
    def words(self) -> tuple[str, str, str]:
        """Return it as the arguments of a story."""
        return self.base_url, self.key, self.pager_url
