"""Random states of Lake Formation, existing and desired."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from etltctl.governance.model import (
    EVERYBODY,
    Grant,
    Location,
    OptIn,
    Resource,
    RowFilter,
    Scope,
    State,
    column_of,
    database_of,
    effective_tags,
    folded,
    table_of,
    without_inherited,
)

MANAGED = ("analyst", "engineer", EVERYBODY)
OTHERS = ("auditor",)
DATABASES = ("gold", "silver")
TABLES = {"gold": ("daily", "places"), "silver": ("raw",), "foreign": ("theirs",)}
COLUMNS = ("key", "lat", "lon")
KEYS = {"zone": ("trusted", "curated"), "audience": ("all", "named")}
FILTERS = [Resource("filter", ("gold", "daily", name)) for name in ("south", "north")]
FILTERS += [Resource("filter", ("foreign", "theirs", "mine"))]
SCOPE = Scope(
    principals=frozenset(MANAGED),
    databases=frozenset(DATABASES),
    tag_keys=frozenset(KEYS),
    locations=frozenset({"arn:gold", "arn:silver"}),
    hybrid=frozenset({"silver"}),
    protected=frozenset({"engineer", ("analyst", table_of("silver", "raw"))}),
)
tables = [table_of(database, name) for database, names in TABLES.items() for name in (*names, "*")]
columns = [column_of(*table.key, column) for table in tables if table.key[1] != "*" for column in COLUMNS]
databases = [database_of(name) for name in TABLES]
policies = [
    Resource(kind, (), ((key, (value,)),))
    for kind in ("tables", "databases")
    for key, vs in KEYS.items()
    for value in vs
] + [Resource("tables", (), (("foreign", ("x",)),))]
policies += [
    Resource("tables", (), (("audience", (audience,)), ("zone", (zone,))))
    for audience in KEYS["audience"]
    for zone in KEYS["zone"]
]
locations = [Resource("location", (name,)) for name in ("arn:gold", "arn:silver", "arn:else")]
PERMITS = {
    "table": ("ALL", "SELECT", "INSERT", "DESCRIBE", "ALTER"), "tables": ("ALL", "SELECT", "DESCRIBE"),
    "database": ("ALL", "CREATE_TABLE", "DESCRIBE"), "databases": ("DESCRIBE",), "column": ("SELECT",),
    "except": ("SELECT",), "filter": ("SELECT",), "location": ("DATA_LOCATION_ACCESS",),
}  # fmt: skip
resources = [
    *tables,
    *columns,
    *databases,
    *policies,
    *locations,
    *FILTERS,
    Resource("except", ("gold", "daily", "lat")),
]


@st.composite
def grant(draw: st.DrawFn, principals: tuple[str, ...]) -> Grant:
    resource = draw(st.sampled_from(resources))
    permission = draw(st.sampled_from(PERMITS[resource.kind]))
    return Grant(draw(st.sampled_from(principals)), resource, permission, draw(st.booleans()))


def canonical(grants: frozenset[Grant]) -> frozenset[Grant]:
    """Return the permissions in canonical form: ALL stands for the rest, and a grant option needs its permission."""
    rows = grants | {replace(row, grantable=False) for row in grants}
    gathered: dict[tuple[str, Resource, bool], set[str]] = {}
    for row in rows:
        gathered.setdefault((row.principal, row.resource, row.grantable), set()).add(row.permission)
    return frozenset(
        Grant(principal, resource, name, grantable)
        for (principal, resource, grantable), names in gathered.items()
        for name in folded(names)
    )


def _tags(keys: dict[str, tuple[str, ...]]) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in keys.items()})


@st.composite
def states(draw: st.DrawFn, *, desired: bool) -> State:
    """Draw any state; a desired state names managed principals and resources only."""
    principals = MANAGED[:2] if desired else MANAGED + OTHERS
    tagged = [*databases, *(t for t in tables if t.key[1] != "*"), *columns]
    tagged = [resource for resource in tagged if not desired or resource.database in DATABASES]
    assigned = draw(st.dictionaries(st.sampled_from(tagged), _tags(KEYS), max_size=6))
    grants = canonical(draw(st.frozensets(grant(principals), max_size=8)))
    optional = st.none() if desired else st.booleans()
    filters = draw(
        st.dictionaries(
            st.sampled_from(FILTERS[:2] if desired else FILTERS),
            st.builds(
                RowFilter,
                st.sampled_from(["", "key = 'a'"]),
                excluded=st.sampled_from([(), ("lat",), ("lon",)]),
            ),
        )
    )
    grants = frozenset(g for g in grants if g.resource.kind != "filter" or g.resource in filters)
    about = [resource for resource in (*databases, *tables) if not desired or resource.database in DATABASES]
    opt_ins = st.builds(OptIn, st.sampled_from(principals), st.sampled_from(about))
    return State(
        admins=draw(st.none() if desired else st.just(frozenset({"engineer"}))),
        iam_defaults=draw(st.booleans() | optional),
        source_identity=draw(st.booleans() | optional),
        open_databases=frozenset() if desired else draw(st.frozensets(st.sampled_from(DATABASES))),
        locations=draw(
            st.dictionaries(
                st.sampled_from(sorted(SCOPE.locations)),
                st.builds(Location, st.sampled_from("ab"), st.booleans()),
            )
        ),
        tags={
            key: frozenset((*values, *draw(st.sampled_from([(), ("old",), ("odd",)]))))
            for key, values in KEYS.items()
        }
        if not desired
        else {key: frozenset(values) for key, values in KEYS.items()},
        assigned=without_inherited(assigned),
        filters=filters,
        grants=grants if not desired else frozenset(g for g in grants if SCOPE.covers(g.resource)),
        opt_ins=draw(st.frozensets(opt_ins, max_size=3)),
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[State, State]:
    """Draw a desired and an existing state that have much in common: their differences matter."""
    existing, desired = draw(states(desired=False)), draw(states(desired=True))
    grants = set(desired.grants)
    for row in sorted(existing.grants):
        if row.principal in MANAGED[:2] and SCOPE.covers(row.resource) and draw(st.booleans()):
            permission = draw(st.sampled_from((row.permission, *PERMITS[row.resource.kind])))
            grants.add(replace(row, permission=permission))
    grants = {g for g in grants if g.resource.kind != "filter" or g.resource in desired.filters}
    assigned = {resource: dict(tags) for resource, tags in desired.assigned.items()}
    about = [resource for resource in (*databases, *tables[:2], *columns[:3]) if SCOPE.covers(resource)]
    for resource in about:
        if draw(st.booleans()):
            assigned.setdefault(resource, {}).update(effective_tags(existing.assigned, resource))
    return replace(
        desired, grants=canonical(frozenset(grants)), assigned=without_inherited(assigned)
    ), existing


@st.composite
def retagged(draw: st.DrawFn) -> tuple[State, State]:
    """Draw a desired and an existing state of few resources with many LF-tags, all of which may move at once."""
    about = (database_of("gold"), *tables[:2], *columns[:2])
    tags = {key: frozenset(values) for key, values in KEYS.items()}
    named = (*(resource for resource in policies if resource.kind == "tables"), tables[0], columns[0])

    def one() -> State:
        assigned = draw(st.fixed_dictionaries({}, optional=dict.fromkeys(about, _tags(KEYS))))
        rows = st.builds(
            Grant, st.sampled_from(MANAGED[:2] + OTHERS), st.sampled_from(named), st.just("SELECT")
        )
        return State(
            tags=tags, assigned=without_inherited(assigned), grants=draw(st.frozensets(rows, max_size=5))
        )

    existing, desired = one(), one()
    grants = frozenset(
        row for row in desired.grants if row.principal in MANAGED and SCOPE.covers(row.resource)
    )
    return replace(desired, grants=grants), replace(existing, admins=frozenset({"engineer"}))


def scope_of(existing: State) -> Scope:
    """Return the scope, with the grants that other principals rely on."""
    used = frozenset(row.resource for row in existing.grants if row.principal in OTHERS)
    return replace(SCOPE, in_use=used | {("zone", "old")})
