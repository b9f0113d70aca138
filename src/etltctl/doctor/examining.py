"""The examination: what depends on nothing first, then what needs settings, then the services, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etltctl.doctor import account, config, governing, jobs, machine, sources, tables
from etltctl.doctor.findings import Area, Finding, Status, fail, failed, ok, shortened, skip
from etltctl.doctor.patient import LOCAL, Patient
from etltctl.errors import AccessError, ConfigurationError, EtltctlError, ExitCode

if TYPE_CHECKING:
    from etltctl.settings import Settings

Check = Callable[[Patient], Iterable[Finding]]
BEHIND_AWS = frozenset({Area.PERMISSIONS, Area.BUCKETS, Area.GLUE, Area.ATHENA, Area.GOVERNANCE})


@dataclass(frozen=True)
class Look:
    """One check: the area it belongs to, and what it is called if it fails before it can say."""

    area: Area
    subject: str
    check: Check

    def at(self, patient: Patient) -> list[tuple[Area, Finding]]:
        """What it finds; a check that breaks off keeps what it found so far, and its breaking off is a finding."""
        found: list[Finding] = []
        try:
            found.extend(self.check(patient))
        except EtltctlError as error:
            found.append(failed(self.subject, error))
        except Exception as error:  # noqa: BLE001  a doctor that dies of one look tells nothing of the others
            told = f"could not be looked at: {type(error).__name__}: {error}"
            found.append(fail(self.subject, shortened(told), "this is a bug in etltctl", ExitCode.FAILED))
        return [(self.area, finding) for finding in found]


HERE = (
    Look(Area.SETTINGS, "file", config.check_file),
    Look(Area.SETTINGS, "state", config.check_state),
)
EMBEDDED = (
    Look(Area.LOCAL, "extra local", machine.check_extra),
    Look(Area.LOCAL, "java", machine.check_java),
    Look(Area.LOCAL, "class archive", machine.check_class_archive),
    Look(Area.LOCAL, "disk", machine.check_disk),
    Look(Area.LOCAL, "port", machine.check_port),
    Look(Area.LOCAL, "host", machine.check_host),
    Look(Area.LOCAL, "proxies", machine.check_proxies),
)
SERVICES = (
    Look(Area.SETTINGS, "secrets", config.check_secrets),
    Look(Area.LOCAL, "state files", machine.check_state_files),
    Look(Area.AWS, "caller", account.check_caller),
    Look(Area.AWS, "clock", account.check_clock),
    Look(Area.AWS, "services", account.check_reach),
    Look(Area.PERMISSIONS, "roles", account.check_roles),
    Look(Area.PERMISSIONS, "caller", account.check_caller_permissions),
    Look(Area.PERMISSIONS, "job roles", account.check_role_permissions),
    Look(Area.BUCKETS, "buckets", account.check_buckets),
    Look(Area.GLUE, "jobs", jobs.check_jobs),
    Look(Area.GLUE, "databases", jobs.check_databases),
    Look(Area.GLUE, "published files", tables.check_published_files),
    Look(Area.ATHENA, "workgroup", jobs.check_workgroup),
    Look(Area.AIRBYTE, "api", sources.check_api),
    Look(Area.AIRBYTE, "connections", sources.check_connections),
    Look(Area.GOVERNANCE, "lake formation", governing.check_access),
)


def examine(
    load: Callable[[], Settings],
    connect: Callable[[], AbstractContextManager[Settings]],
    area: Area | None = None,
    *,
    now: Callable[[], float] = time.time,
) -> list[tuple[Area, Finding]]:
    """Every finding, with its area, in the order of what depends on what; never raises an EtltctlError.

    `load` gives the settings, `connect` the same with their services within reach; where either fails that is a
    finding, and what would have needed it is told as not looked at.
    """
    found = (
        [(Area.VERSIONS, finding) for finding in machine.check_versions()]
        if _wants(area, Area.VERSIONS)
        else []
    )
    if area is Area.VERSIONS:
        return found
    try:
        settings = load()
    except EtltctlError as error:
        found += [(Area.SETTINGS, finding) for finding in config.complaints(error)]
        return found + list(_skipped((*EMBEDDED, *SERVICES), area, "the settings cannot be read"))
    patient = Patient(settings, now)
    here = (*HERE, *(EMBEDDED if settings.env == LOCAL else ()))
    found += _looked(here, area, patient)
    services = [
        look
        for look in SERVICES
        if _wants(area, look.area) and (look.area is not Area.LOCAL or settings.env == LOCAL)
    ]
    if services or area is Area.LOCAL:
        place = Area.LOCAL if settings.env == LOCAL else Area.SETTINGS
        found += _examine_services(connect, services, now, place)
    if area is Area.LOCAL and settings.env != LOCAL:
        found.append(
            (Area.LOCAL, skip("embedded server", f"the environment {settings.env} does without one"))
        )
    found = [pair for pair in found if pair[1].status is Status.FAIL or _wants(area, pair[0])]
    return sorted(found, key=lambda pair: list(Area).index(pair[0]))


def _examine_services(
    connect: Callable[[], AbstractContextManager[Settings]],
    services: list[Look],
    now: Callable[[], float],
    place: Area,
) -> list[tuple[Area, Finding]]:
    """What the services look like once they are within reach; `place` is the area that reaching them belongs to."""
    found: list[tuple[Area, Finding]] = []
    started = time.monotonic()
    reached = False
    try:
        with connect() as settings:
            reached = True
            if place is Area.LOCAL:
                told = f"ready in {time.monotonic() - started:.1f} s"
                found.append((place, ok("embedded server", told)))
            found += _look_at_services(services, Patient(settings, now))
    except EtltctlError as error:
        found.append((place, failed("embedded server" if place is Area.LOCAL else "services", error)))
        if not reached:
            found += _skipped(services, None, "the services are not within reach")
    return found


def _look_at_services(services: list[Look], patient: Patient) -> list[tuple[Area, Finding]]:
    """What the looks find; without credentials one failure says so, in place of one for every call."""
    behind = [look for look in services if look.area in BEHIND_AWS]
    barred = _barred(patient) if behind else None
    if barred is None:
        return _looked(services, None, patient)
    found = _looked([look for look in services if look not in behind], None, patient)
    told = [] if any(look.area is Area.AWS for look in services) else [(Area.AWS, failed("caller", barred))]
    return [*told, *found, *_skipped(behind, None, "there are no working AWS credentials")]


def _barred(patient: Patient) -> EtltctlError | None:
    """Why AWS knows no caller, if it is for want of credentials; a service that is out of reach bars only itself."""
    try:
        patient.caller  # noqa: B018  asked for, and kept
    except (AccessError, ConfigurationError) as error:
        return error
    except EtltctlError:
        return None
    return None


def _looked(looks: Iterable[Look], area: Area | None, patient: Patient) -> list[tuple[Area, Finding]]:
    """What the looks find, each in a thread of its own: most of them wait for answers."""
    wanted = [look for look in looks if _wants(area, look.area)]
    with ThreadPoolExecutor(max_workers=len(wanted) or 1) as threads:
        return [pair for found in threads.map(lambda look: look.at(patient), wanted) for pair in found]


def _skipped(looks: Iterable[Look], area: Area | None, why: str) -> Iterator[tuple[Area, Finding]]:
    """One finding an area: whoever mends the cause wants to read of it once."""
    left: dict[Area, list[str]] = {}
    for look in looks:
        if _wants(area, look.area):
            left.setdefault(look.area, []).append(look.subject)
    for of, subjects in left.items():
        yield of, skip(", ".join(subjects), f"not looked at: {why}")


def _wants(area: Area | None, of: Area) -> bool:
    return area in (None, of)
