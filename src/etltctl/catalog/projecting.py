"""Partition projection: table parameters from which Athena computes the partitions, with no partition calls.

One update of these parameters and of the location switches every partition at once. Source: Athena's partition
projection (`projection.*`, `storage.location.template`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etltctl.catalog.tables import Described
from etltctl.partition_paths import DEFAULT_PARTITION

INTEGERS = ("int", "bigint")
SPARSE = 20  # numbers in a range for each value that exists: Athena looks for files behind every one
ENABLED = "projection.enabled"

Values = tuple[str, ...]


def projection(
    location: str, partitions: Mapping[Values, str], names: Sequence[str], types: Mapping[str, str]
) -> dict[str, str] | None:
    """Return the parameters that make Athena see exactly these partitions; None if none do.

    A list of values is separated by commas, and Athena puts each value into the path as it is. So it cannot say a value
    with a comma, one that is escaped in the path, or null.

    Args:
        location: The table's folder.
        partitions: The location of each partition by its values.
        names: The partition columns as the paths spell them.
        types: The Hive types of the partition columns, by name in lower case.
    """
    template = f"{location}{''.join(f'{name}=${{{name.lower()}}}/' for name in names)}"
    columns = {name.lower(): sorted({v[number] for v in partitions}) for number, name in enumerate(names)}
    parameters = {ENABLED: "true", "storage.location.template": template}
    for values, place in partitions.items():
        filled = "".join(f"{name}={value}/" for name, value in zip(names, values, strict=True))
        if place != f"{location}{filled}" or any("," in value for value in values):
            return None
    for name, seen in columns.items():
        if DEFAULT_PARTITION in seen or "" in seen:
            return None
        if types[name] in INTEGERS:
            numbers = sorted(map(int, seen))
            if numbers[-1] - numbers[0] > SPARSE * len(numbers):
                return None
            parameters[f"projection.{name}.type"] = "integer"
            parameters[f"projection.{name}.range"] = f"{numbers[0]},{numbers[-1]}"
        else:
            parameters[f"projection.{name}.type"] = "enum"
            parameters[f"projection.{name}.values"] = ",".join(seen)
    return parameters


def is_projected(described: Described) -> bool:
    """Return whether Athena computes the table's partitions and ignores registered ones."""
    return str(described.get("Parameters", {}).get(ENABLED, "")).lower() == "true"
