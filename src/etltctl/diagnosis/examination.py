"""The order of the checks: those that need nothing, those that need settings, then the services, all at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etltctl.diagnosis import account, config, governance, jobs, machine, sources
from etltctl.diagnosis.findings import Area, Finding, Status, fail, failed, ok, shortened, skip
from etltctl.diagnosis.probe import Probe
from etltctl.errors import AccessError, ConfigurationError, EtltctlError, ExitCode

if TYPE_CHECKING:
    from etltctl.settings import Settings

Examine = Callable[[Probe], Iterable[Finding]]
Findings = list[tuple[Area, Finding]]
BEHIND_AWS = frozenset({Area.PERMISSIONS, Area.BUCKETS, Area.GLUE, Area.ATHENA, Area.GOVERNANCE})


@dataclass(frozen=True)
class Check:
    """One check: its area, and the subject of its finding if it fails before it has one."""

    area: Area
    subject: str
    examine: Examine

    def run(self, probe: Probe) -> Findings:
        """Return the findings. A check that breaks off keeps those that it has, and its error is one more."""
        findings: list[Finding] = []
        try:
            # Extended one by one, so that the findings before an error are kept.
            findings.extend(self.examine(probe))
        except EtltctlError as error:
            findings.append(failed(self.subject, error))
        except Exception as error:  # noqa: BLE001  one check that breaks must not hide the findings of the others
            evidence = shortened(f"could not be checked: {type(error).__name__}: {error}")
            findings.append(fail(self.subject, evidence, "this is a bug in etltctl", ExitCode.FAILED))
        return [(self.area, finding) for finding in findings]


HERE = (
    Check(Area.SETTINGS, "file", config.check_file),
    Check(Area.SETTINGS, "state", config.check_state),
    Check(Area.SETTINGS, "queries", config.check_queries),
    Check(Area.SETTINGS, "lineage", config.check_lineage),
)
EMBEDDED = (
    Check(Area.LOCAL, "extra local", machine.check_extra),
    Check(Area.LOCAL, "java", machine.check_java),
    Check(Area.LOCAL, "class archive", machine.check_class_archive),
    Check(Area.LOCAL, "disk", machine.check_disk),
    Check(Area.LOCAL, "port", machine.check_port),
    Check(Area.LOCAL, "host", machine.check_host),
    Check(Area.LOCAL, "proxies", machine.check_proxies),
)
SERVICES = (
    Check(Area.SETTINGS, "secrets", config.check_secrets),
    Check(Area.LOCAL, "state files", machine.check_state_files),
    Check(Area.AWS, "caller", account.check_caller),
    Check(Area.AWS, "clock", account.check_clock),
    Check(Area.AWS, "services", account.check_reach),
    Check(Area.AWS, "stack", account.check_stack),
    Check(Area.PERMISSIONS, "roles", account.check_roles),
    Check(Area.PERMISSIONS, "caller", account.check_caller_permissions),
    Check(Area.PERMISSIONS, "job roles", account.check_role_permissions),
    Check(Area.BUCKETS, "buckets", account.check_buckets),
    Check(Area.GLUE, "jobs", jobs.check_jobs),
    Check(Area.GLUE, "databases", jobs.check_databases),
    Check(Area.GLUE, "published files", jobs.check_published_files),
    Check(Area.ATHENA, "workgroup", jobs.check_workgroup),
    Check(Area.AIRBYTE, "api", sources.check_api),
    Check(Area.AIRBYTE, "connections", sources.check_connections),
    Check(Area.GOVERNANCE, "lake formation", governance.check_access),
)


def examine(
    load: Callable[[], Settings],
    connect: Callable[[], AbstractContextManager[Settings]],
    area: Area | None = None,
    *,
    now: Callable[[], float] = time.time,
) -> Findings:
    """Run the checks of an area, or all of them.

    Args:
        load: Returns the settings. Its failure is a finding, and the checks that need settings are skipped.
        connect: Returns the settings with their services within reach, for as long as its context lasts.
        area: The only area to check; None for all.
        now: The clock, in seconds since 1970.

    Returns:
        Every finding with its area, an area after the areas that it depends on. No EtltctlError is raised.
    """
    results: Findings = []
    if _is_in(area, Area.VERSIONS):
        results += [(Area.VERSIONS, finding) for finding in machine.check_versions()]
    if area is Area.VERSIONS:
        return results
    try:
        settings = load()
    except EtltctlError as error:
        results += [(Area.SETTINGS, finding) for finding in config.complaints(error)]
        return results + list(_skipped((*EMBEDDED, *SERVICES), area, "the settings cannot be read"))
    # The checks of the machine matter only where the embedded server does the work.
    is_local = settings.is_embedded
    results += _run_all((*HERE, *(EMBEDDED if is_local else ())), area, Probe(settings, now))
    checks = [
        check for check in SERVICES if _is_in(area, check.area) and (check.area is not Area.LOCAL or is_local)
    ]
    if checks or area is Area.LOCAL:
        results += _examine_services(connect, checks, now, Area.LOCAL if is_local else Area.SETTINGS)
    if area is Area.LOCAL and not is_local:
        finding = skip("embedded server", f"the environment {settings.env} does without one")
        results.append((Area.LOCAL, finding))
    # A failure of another area is shown as well: it may be why this one could not be checked.
    results = [pair for pair in results if pair[1].status is Status.FAIL or _is_in(area, pair[0])]
    # The sort is stable: within an area the findings keep the order of the checks.
    return sorted(results, key=lambda pair: list(Area).index(pair[0]))


def _examine_services(
    connect: Callable[[], AbstractContextManager[Settings]],
    checks: list[Check],
    now: Callable[[], float],
    place: Area,
) -> Findings:
    """Connect to the services and run the checks.

    Args:
        connect: As for `examine`.
        checks: The checks that need services.
        now: The clock.
        place: The area of a finding about the connection itself.
    """
    results: Findings = []
    started = time.monotonic()
    is_reached = False
    try:
        with connect() as settings:
            is_reached = True
            if place is Area.LOCAL:
                evidence = f"ready in {time.monotonic() - started:.1f} s"
                results.append((place, ok("embedded server", evidence)))
            results += _run_on_services(checks, Probe(settings, now))
    except EtltctlError as error:
        results.append((place, failed("embedded server" if place is Area.LOCAL else "services", error)))
        # After a failed connection the checks would all report the same error once more.
        if not is_reached:
            results += _skipped(checks, None, "the services are not within reach")
    return results


def _run_on_services(checks: list[Check], probe: Probe) -> Findings:
    """Run the checks. Without credentials, one failure replaces one for every call."""
    behind = [check for check in checks if check.area in BEHIND_AWS]
    # STS is asked once, before threads start: each of them would ask again and wait for its own timeout.
    barred = _barred(probe) if behind else None
    if barred is None:
        return _run_all(checks, None, probe)
    results = _run_all([check for check in checks if check not in behind], None, probe)
    is_reported = any(check.area is Area.AWS for check in checks)
    caller = [] if is_reported else [(Area.AWS, failed("caller", barred))]
    return [*caller, *results, *_skipped(behind, None, "there are no working AWS credentials")]


def _barred(probe: Probe) -> EtltctlError | None:
    """Return the error if AWS knows no caller for want of credentials. A service out of reach bars only itself."""
    try:
        probe.caller  # noqa: B018  asked for, and kept
    except (AccessError, ConfigurationError) as error:
        return error
    except EtltctlError:
        return None
    return None


def _run_all(checks: Iterable[Check], area: Area | None, probe: Probe) -> Findings:
    """Run the checks of an area, each in a thread, because most of them wait for answers."""
    chosen = [check for check in checks if _is_in(area, check.area)]
    with ThreadPoolExecutor(max_workers=len(chosen) or 1) as threads:
        results = threads.map(lambda check: check.run(probe), chosen)
        return [pair for findings in results for pair in findings]


def _skipped(checks: Iterable[Check], area: Area | None, why: str) -> Iterator[tuple[Area, Finding]]:
    """Yield one finding an area, so that the cause is reported once."""
    left: dict[Area, list[str]] = {}
    for check in checks:
        if _is_in(area, check.area):
            left.setdefault(check.area, []).append(check.subject)
    for of, subjects in left.items():
        yield of, skip(", ".join(subjects), f"not checked: {why}")


def _is_in(area: Area | None, of: Area) -> bool:
    return area in (None, of)
