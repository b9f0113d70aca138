"""The form of CreateTable and UpdateTable in which Glue itself writes the metadata of Iceberg: it is refused."""

from __future__ import annotations

from typing import Any

from etltctl.local.kernel.json_protocol import AwsError


def refuse_open_format(body: dict[str, Any], member: str, operation: str) -> None:
    """Refuse a call with a member that the embedded Glue does not model.

    Raises:
        AwsError: InvalidInputException.
    """
    # moto would leave the member out and make a table of Iceberg that has no metadata.
    if body.get(member):
        raise AwsError(
            "InvalidInputException",
            f"the embedded Glue does not model {member} of {operation}; nothing was changed. "
            "Let Athena or a library of Iceberg write the metadata",
        )
