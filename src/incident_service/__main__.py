"""The command `incident-service`, also `python -m incident_service`."""

import gc


def main() -> None:
    """Run a command. What is imported stays for good, so there is no garbage to look for in it."""
    gc.disable()
    from incident_service.cli import app  # noqa: PLC0415 - with the collector at rest

    gc.freeze()
    gc.enable()
    app()


if __name__ == "__main__":
    main()
