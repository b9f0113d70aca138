"""The particulars of a refusal: the step it hit and the principal that was refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from etltctl.errors import AccessError, EtltctlError
from etltctl.pipeline.services import Services


@contextmanager
def refusals_named(step: str, services: Services) -> Iterator[None]:
    """Add the step to every refusal within the block that names none, and the principal where the service did not."""
    try:
        yield
    except AccessError as error:
        name_refusal(error, step, services)
        raise


def name_refusal(error: AccessError, step: str, services: Services) -> None:
    """Add the step to a refusal that names none, and the principal where the service named none, as S3 often does."""
    named: dict[str, object] = {"step": step} if step else {}
    if "action" in error.facts and "principal" not in error.facts:
        with suppress(EtltctlError):  # STS answers every caller whose credentials are valid
            named["principal"] = services.aws.identity().principal
    error.facts = {**named, **error.facts}
