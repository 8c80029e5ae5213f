"""Pages in the terminal, for `dev`."""

from typing import TextIO

from incident_service.notifications.channels.contract import Address
from incident_service.notifications.message import OutgoingPage, one_line, subject, text


class ConsoleChannel:
    """Prints pages to `output`."""

    def __init__(self, output: TextIO) -> None:
        self._output = output

    async def send(self, page: OutgoingPage, to: Address) -> str:
        """Print the page; see `ChannelSender.send`."""
        self._output.write(f"── page to {one_line(to.address)}: {subject(page)}\n{text(page)}\n")
        self._output.flush()
        return "printed"
