"""The facts of a run that its lineage needs and that no later process knows: where its catalog is, what started it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from etltctl.errors import EtltctlError
from etltctl.settings.lineage_variables import is_lineage_asked_for

if TYPE_CHECKING:
    from etltctl.aws import Aws
    from etltctl.settings import Settings

# Airflow's macros write a run so: namespace, job and run, parted by slashes. A job's name may hold slashes.
NAMED_RUN = re.compile(r"([^/]+)/(.+)/([0-9a-fA-F-]{36})")


@dataclass(frozen=True)
class NamedRun:
    """An OpenLineage run of another program: its job's namespace and name, and the run's id."""

    namespace: str
    job: str
    run_id: str

    @classmethod
    def parse(cls, text: object) -> NamedRun | None:
        """Return the run that `NAMESPACE/JOB/RUN` names; None for any other text."""
        match = NAMED_RUN.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            return None
        try:
            return cls(match[1], match[2], str(UUID(match[3])))
        except ValueError:
            return None


@dataclass(frozen=True)
class Origin:
    """The account and region of the run's catalog, and the OpenLineage runs above it, as far as they are known."""

    account: str = ""
    region: str = ""
    parent: NamedRun | None = None
    root: NamedRun | None = None

    @classmethod
    def of(cls, recorded: Mapping[str, Any]) -> Origin:
        """Return the origin that `origin_of_run` recorded; one without facts for a run that has none on record."""
        parent = NamedRun.parse(recorded.get("parent"))
        root = NamedRun.parse(recorded.get("root")) or parent
        return cls(str(recorded.get("account", "")), str(recorded.get("region", "")), parent, root)


def origin_of_run(settings: Settings, aws: Aws) -> dict[str, str]:
    """Return the facts that the first event of a run keeps, so that its lineage can be made again without a service.

    Args:
        settings: The settings.
        aws: The account.

    Returns:
        Nothing if no receiver of lineage events is named.
    """
    if not is_lineage_asked_for(settings.lineage):
        return {}
    facts = {"parent": settings.lineage.parent, "root": settings.lineage.root}
    with suppress(EtltctlError):
        facts["region"] = aws.region_name or ""
        # Asked once, for at most 5 s: without an answer only the symbolic names are left out.
        facts["account"] = aws.identity(brief=True).account
    return {name: value for name, value in facts.items() if value}
