"""What the settings of governance say that cannot be so, each with the path of its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from etltctl.settings.governance import Governance

if TYPE_CHECKING:
    from etltctl.settings.model import Settings

FILTERS_PER_TABLE = 100  # of one principal; this and the next are Lake Formation's own limits
VALUES_PER_TAG = 1000
WORKERS_FOR_FILTERS = 4  # the fewest with which a Glue job may read through row or column filters

KeyPath = tuple[str, ...]


def governance_problems(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    """What no single value can tell: tags, filters and layers that nothing else defines, and limits over all grants."""
    found = settings.governance
    if found == Governance():
        return
    if not found.zones:
        yield ("governance",), "governance needs zones: which layers it is about"
        return
    yield from _zones(found)
    yield from _tags(found)
    yield from _grants(found)
    yield from _limits(found)
    yield from _filtered_jobs(settings)


def _zones(found: Governance) -> Iterator[tuple[KeyPath, str]]:
    listed = [layer for zone in found.zones.values() for layer in zone.layers]
    for name, zone in found.zones.items():
        if twice := [layer for layer in zone.layers if listed.count(layer) > 1]:
            yield ("governance", "zones", name), f"zone {name} shares the layer {twice[0]} with another"
    for number, opt_in in enumerate(found.opt_ins):
        layer = opt_in.layer or str(opt_in.table).partition(".")[0]
        zone_of = found.zones.get(found.layers.get(layer, ""))
        if zone_of is None or not zone_of.hybrid:
            yield (
                ("governance", "opt_ins", str(number)),
                f"an opt-in needs a hybrid zone, and {layer} is in none",
            )


def _tags(found: Governance) -> Iterator[tuple[KeyPath, str]]:
    for key, values in found.tags.items():
        if len(values) > VALUES_PER_TAG:
            yield (
                ("governance", "tags", key),
                f"LF-tag {key} has {len(values)} values; {VALUES_PER_TAG} are allowed",
            )
    used: list[tuple[KeyPath, list[tuple[str, str]]]] = [
        (("governance", "assign", place), list(pairs.items())) for place, pairs in found.assign.items()
    ]
    used += [
        (("governance", "grants", str(number), "tags"), [(k, v) for k, vs in grant.tags.items() for v in vs])
        for number, grant in enumerate(found.grants)
    ]
    for path, pairs in used:
        for key, value in pairs:
            if value not in found.all_tags.get(key, ()):
                yield path, f"LF-tag {key} = {value} is not among governance.tags or the zones"
    for place in found.assign:
        if place.partition(".")[0] not in found.layers:
            yield ("governance", "assign", place), f"{place} is in no zone"


def _grants(found: Governance) -> Iterator[tuple[KeyPath, str]]:
    for table in found.filters:
        if table.partition(".")[0] not in found.layers:
            yield ("governance", "filters", table), f"{table} is in no zone"
    for number, grant in enumerate(found.grants):
        path = ("governance", "grants", str(number))
        layer = grant.layer or grant.location or (grant.table or "").partition(".")[0]
        if layer and layer not in found.layers:
            yield path, f"a grant to {grant.principal} is about {grant.table or layer}, which is in no zone"
        for name in grant.filters:
            if name not in found.filters.get(str(grant.table), {}):
                yield (*path, "filters"), f"{grant.table} has no filter {name} in governance.filters"


def _limits(found: Governance) -> Iterator[tuple[KeyPath, str]]:
    counts: dict[tuple[str, str], int] = {}
    for number, grant in enumerate(found.grants):
        key = (grant.principal, str(grant.table))
        counts[key] = counts.get(key, 0) + len(grant.filters)
        if counts[key] > FILTERS_PER_TABLE:
            text = f"{grant.principal} has {counts[key]} filters of {grant.table}; {FILTERS_PER_TABLE} are allowed"
            yield ("governance", "grants", str(number)), text


def _filtered_jobs(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    """A Glue job reads through filters only with more workers; with fewer its role needs whole tables."""
    small = {
        _role_name(job.role): name
        for name, job in settings.glue.jobs.items()
        if job.workers < WORKERS_FOR_FILTERS
    }
    for number, grant in enumerate(settings.governance.grants):
        job = small.get(_role_name(grant.principal.removeprefix("role:")))
        if job and grant.kind in {"filter", "columns"}:
            text = (
                f"{grant.principal} runs Glue job {job} with {settings.glue.jobs[job].workers} workers, and reading "
                f"through filters needs at least {WORKERS_FOR_FILTERS}: grant it the whole table"
            )
            yield ("governance", "grants", str(number)), text


def _role_name(role: str) -> str:
    return role.rpartition("/")[2]
