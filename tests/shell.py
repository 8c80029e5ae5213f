"""Commands that run to their end."""

from pathlib import Path

from tests.processes import Command, command


class Shell:
    """Runs our commands, as an operator of one installation does."""

    def __init__(self, home: Path) -> None:
        self.home = home

    async def run(self, *words: str | Path, **settings: str | Path) -> tuple[int, str]:
        """Return a command's exit code and what it said; `settings` are those of the service."""
        given = {f"INCIDENT_SERVICE_{name.upper()}": str(text) for name, text in settings.items()}
        environment = {"HOME": str(self.home)} | given
        async with command(*map(str, words), environment=environment, home=self.home) as running:
            return await ended(running)


async def ended(running: Command) -> tuple[int, str]:
    code = await running.exit_code(within_s=60)
    return code, running.text
