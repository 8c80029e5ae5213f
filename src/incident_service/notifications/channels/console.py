"""Pages in the terminal, for `dev`."""

from typing import TextIO

from incident_service.notifications.channels.contract import Address
from incident_service.notifications.message import OutgoingPage, one_line, paragraph, subject

SHOWN = 3


class ConsoleChannel:
    """Prints pages to `output`, each with the command that takes it."""

    def __init__(self, output: TextIO) -> None:
        self._output = output

    async def send(self, page: OutgoingPage, to: Address) -> str:
        """Print the page; see `ChannelSender.send`."""
        self._output.write(f"── page to {one_line(to.address)}: {printed(page)}\n")
        self._output.flush()
        return "printed"


def printed(page: OutgoingPage) -> str:
    """Return the first incidents of a page, and how to take the first; `dev` names `$KEY`."""
    if page.note:
        return f"{page.note}\n"
    first = "\n\n".join(map(paragraph, page.incidents[:SHOWN]))
    more = len(page.incidents) - SHOWN
    take = f'curl -sS -X POST {page.incidents[0].url}/acknowledge -H "Authorization: Bearer $KEY"'
    parts = [
        f"{subject(page)}\n{first}\n",
        f"… and {more} more incidents\n" if more > 0 else "",
        f"answer it: {page.answer_url}" if page.answer_url else "",
        f"take it: {take}\n",
    ]
    return "\n".join(part for part in parts if part)
