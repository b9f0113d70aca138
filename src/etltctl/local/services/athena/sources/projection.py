"""Partition projection: the partitions of a table that its properties describe, without any in the catalog.

The rules are those of Athena's user guide, page "Supported types for partition projection".
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.dialect.errors import unsupported

PLACE = re.compile(r"\$\{([^}]+)\}")
# The letters of a date's format that Java and Python share, and how many digits each has.
LETTERS = {
    "yyyy": ("%Y", 4),
    "MM": ("%m", 2),
    "dd": ("%d", 2),
    "HH": ("%H", 2),
    "mm": ("%M", 2),
    "ss": ("%S", 2),
}
FORMAT = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")
NOW = re.compile(r"NOW\s*(?:([+-])\s*(\d+)\s*(YEAR|MONTH|WEEK|DAY|HOUR|MINUTE|SECOND)S?)?", re.IGNORECASE)
SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400, "WEEK": 7 * 86400}


@dataclass(frozen=True)
class Projected:
    """A partition column that is projected: the pattern of its values, and which of them there are."""

    pattern: str
    has: Callable[[str], bool]


def is_projected(parameters: Mapping[str, str]) -> bool:
    """Return whether the table's properties turn projection on."""
    return parameters.get("projection.enabled", "").strip().lower() == "true"


@dataclass(frozen=True)
class Projection:
    """The projected partition columns of a table.

    Args:
        location: The table's location.
        keys: The names of the partition columns, in order.
        parameters: The table's properties.
        named: The values that the query's conditions name, by column, for columns that are injected.
    """

    location: str
    keys: Sequence[str]
    parameters: Mapping[str, str]
    named: Mapping[str, Collection[str]]

    @property
    def template(self) -> str:
        """The location of a partition, with `${column}` for each value."""
        folders = "".join(f"{key}=${{{key}}}/" for key in self.keys)
        template = self.parameters.get("storage.location.template")
        return template or f"{self.location.rstrip('/')}/{folders}"

    @property
    def root(self) -> str:
        """The location below which every partition is."""
        return self.template.partition("${")[0].rpartition("/")[0] + "/"

    def values(self) -> Callable[[str], tuple[str, ...] | None]:
        """Return what gives the values of the partition of a file, by its location; None if there is no such one.

        Raises:
            QueryError: A property is missing or not valid, or a condition on an injected column is missing.
        """
        columns = {key: self._projected(key) for key in self.keys}
        # A template without a slash at its end still names a folder, never the beginning of one.
        template = f"{self.template.rstrip('/')}/"
        pattern, seen = "", set[str]()
        for index, part in enumerate(PLACE.split(template)):
            if index % 2 == 0:
                pattern += re.escape(part)
            elif part.lower() not in columns:
                raise _invalid(f"The template names the column {part}, which is not a partition column")
            else:
                # A value that stands there twice must be the same both times.
                name = f"part{self.keys.index(part.lower())}"
                pattern += f"(?P={name})" if name in seen else f"(?P<{name}>{columns[part.lower()].pattern})"
                seen.add(name)
        if len(seen) < len(self.keys):
            raise _invalid("The template does not name every partition column")
        compiled = re.compile(pattern)

        def of_file(location: str) -> tuple[str, ...] | None:
            match = compiled.match(location)
            if match is None:
                return None
            values = tuple(match[f"part{number}"] for number in range(len(self.keys)))
            return values if all(columns[k].has(v) for k, v in zip(self.keys, values, strict=True)) else None

        return of_file

    def _projected(self, key: str) -> Projected:
        match self._property(key, "type", "").lower():
            case "enum":
                values = self.parameters.get(f"projection.{key}.values", "").split(",")
                return _one_of(values)
            case "integer":
                return self._integer(key)
            case "date":
                return self._date(key)
            case "injected":
                # Athena cannot list the values of such a column, so the query must name them.
                if not self.named.get(key):
                    raise QueryError(
                        "CONSTRAINT_VIOLATION",
                        f"For the injected projected partition column {key}, the WHERE clause must contain only "
                        "static equality conditions, and at least one such condition must be present.",
                    )
                return _one_of(self.named[key])
            case kind:
                raise _invalid(f"Column {key} has the unknown projection type '{kind}'")

    def _integer(self, key: str) -> Projected:
        low, high = (self._whole(key, bound) for bound in self._range(key))
        step = self._whole(key, self._property(key, "interval", "1"))
        digits = self._property(key, "digits", "")
        width = self._whole(key, digits) if digits else 0

        def has(text: str) -> bool:
            # A folder `7` is not the partition `07` of a column with two digits.
            number = int(text)
            written = f"{number:0{width + (number < 0)}d}" if width else str(number)
            return low <= number <= high and (number - low) % step == 0 and text == written

        return Projected(r"-?\d+", has)

    def _date(self, key: str) -> Projected:
        form = self.parameters.get(f"projection.{key}.format")
        if not form:
            raise _invalid(f"Column {key} has no projection format")
        pattern, python = _date_format(form)
        low, high = (_moment(key, bound, python) for bound in self._range(key))
        step = self._whole(key, self._property(key, "interval", "1"))
        unit = self._property(key, "interval.unit", _unit(form)).upper().removesuffix("S")

        def has(text: str) -> bool:
            try:
                moment = datetime.strptime(text, python)  # noqa: DTZ007 every value is in UTC
            except ValueError:
                return False
            return low <= moment <= high and _is_on_step(moment, low, step, unit)

        return Projected(pattern, has)

    def _property(self, key: str, name: str, default: str) -> str:
        return self.parameters.get(f"projection.{key}.{name}", default).strip()

    def _range(self, key: str) -> tuple[str, str]:
        bounds = self._property(key, "range", "").split(",")
        if len(bounds) != 2:
            raise _invalid(f"Column {key} needs a projection range of two values")
        return bounds[0].strip(), bounds[1].strip()

    def _whole(self, key: str, text: str) -> int:
        try:
            return int(text)
        except ValueError as error:
            raise _invalid(
                f"Column {key} has the projection value '{text}', which is not an integer"
            ) from error


def _one_of(values: Collection[str]) -> Projected:
    # The longest first, so that no value hides one that begins with it.
    ordered = sorted(values, key=len, reverse=True)
    return Projected("|".join(map(re.escape, ordered)), frozenset(values).__contains__)


def _date_format(form: str) -> tuple[str, str]:
    """Return the pattern of a date in Java's format, and the format as Python has it."""
    pattern, python = "", ""
    for match in FORMAT.finditer(form):
        word = match[0]
        if match[2] and word not in LETTERS:
            raise unsupported(f"the letters {word} in the format of a projected date")
        letters, digits = LETTERS.get(word, ("", 0))
        literal = match[1].replace("''", "'") if match[1] is not None else word
        pattern += rf"\d{{{digits}}}" if digits else re.escape(literal)
        python += letters or literal.replace("%", "%%")
    return pattern, python


def _unit(form: str) -> str:
    """Return the unit of the step between two dates in a format, which Athena takes from its smallest part."""
    if "ss" in form or "mm" in form or "HH" in form:
        return "SECONDS" if "ss" in form else "MINUTES" if "mm" in form else "HOURS"
    return "DAYS" if "dd" in form else "MONTHS" if "MM" in form else "YEARS"


def _moment(key: str, text: str, python: str) -> datetime:
    if relative := NOW.fullmatch(text):
        now = datetime.now(UTC).replace(tzinfo=None)
        sign, count, unit = relative.groups()
        return now if sign is None else _moved(now, int(f"{sign}{count}"), unit.upper())
    try:
        return datetime.strptime(text, python)  # noqa: DTZ007 every value is in UTC
    except ValueError as error:
        raise _invalid(
            f"Column {key} has the projection bound '{text}', which does not fit its format"
        ) from error


def _moved(moment: datetime, count: int, unit: str) -> datetime:
    if unit in SECONDS:
        return moment + timedelta(seconds=count * SECONDS[unit])
    # A day that the month lacks becomes its last one, as in Java.
    months = moment.year * 12 + moment.month - 1 + count * (12 if unit == "YEAR" else 1)
    year, month = months // 12, months % 12 + 1
    return moment.replace(year=year, month=month, day=min(moment.day, monthrange(year, month)[1]))


def _is_on_step(moment: datetime, low: datetime, step: int, unit: str) -> bool:
    if step == 1:
        return True
    if unit in SECONDS:
        return int((moment - low).total_seconds()) % (step * SECONDS[unit]) == 0
    months = (moment.year - low.year) * 12 + moment.month - low.month
    return months % (step * (12 if unit == "YEAR" else 1)) == 0


def _invalid(message: str) -> QueryError:
    return QueryError("INVALID_TABLE_PROPERTY", message)
