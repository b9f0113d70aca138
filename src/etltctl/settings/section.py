"""The base of every section of the settings, and the kinds of values that sections share."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from etltctl.settings.project_names import LAYERS
from etltctl.settings.secrets import is_reference
from etltctl.values import S3Location

SIZE_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def _bucket_url(text: str) -> str:
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/\S*)?", text):
        raise ValueError(f"must be an S3 location like s3://bucket/prefix, got {text!r}")
    # S3 takes such names as they are, but clients and folders on disk resolve them to another place.
    path = S3Location.parse(text).key.rstrip("/")
    folders = path.split("/") if path else []
    if odd := next((name for name in folders if name in (".", "..")), None):
        raise ValueError(f"must not have the folder {odd!r} in its path, got {text!r}")
    if "" in folders:
        raise ValueError(f"must not have // in its path, got {text!r}")
    return text.rstrip("/")


def _folder_url(text: str) -> str:
    return f"{_bucket_url(text)}/"


def _state_place(text: str) -> str:
    """Check a place that may be a folder on disk as well as one in S3."""
    return _bucket_url(text) if text.startswith("s3://") else text


def _size(text: str) -> str:
    # Twelve digits are enough for any unit; a few hundred would be infinity as a number.
    if not re.fullmatch(rf"\d{{1,12}}(\.\d{{1,12}})?\s*({'|'.join(SIZE_UNITS)})", text):
        raise ValueError(f"must be a size like '20GB', got {text!r}")
    return text


def bytes_of(size: str) -> int:
    """Return a size such as `20GB`, which was checked when the settings were loaded, in bytes."""
    number, unit = re.fullmatch(r"([\d.]+)\s*(\w+)", size).groups()  # type: ignore[union-attr]
    return int(float(number) * SIZE_UNITS[unit])


def _table(text: str) -> str:
    if not re.fullmatch(rf"({'|'.join(LAYERS)})\.[a-z][a-z0-9_]*", text):
        raise ValueError(f"must be layer.table with a layer of {', '.join(LAYERS)}, got {text!r}")
    return text


def _column(text: str) -> str:
    table, _, column = text.rpartition(".")
    _table(table)
    _says_something(column)
    return text


def _digits_as_text(value: object) -> object:
    """Return a number as text: an environment variable of digits only is read as a number."""
    # A whole number has no leading zeros in TOML, so that the text has exactly the id's digits.
    return str(value) if type(value) is int else value


def _whole_number(value: object) -> object:
    # Python takes `true` and `1.0` for 1 where it compares, as it does for the numbers of a Literal.
    if type(value) is not int:
        raise ValueError(f"must be a whole number, got {value!r}")
    return value


def _says_something(text: str) -> str:
    if not text.strip():
        raise ValueError(f"must not be empty, got {text!r}")
    return text


def _no_duplicates(values: list[Any] | str) -> list[Any] | str:
    # A text in place of a list is a word such as `all`.
    for number, value in enumerate(values) if isinstance(values, list) else ():
        if value in values[:number]:
            raise ValueError(f"must name each only once, got {value!r} twice")
    return values


class Reference(str):
    """A secret's reference, or the secret itself, which is never shown."""

    def __repr__(self) -> str:
        """Return stars, unless the text is a reference."""
        return repr(str(self)) if is_reference(self) else "'***'"


Whole = BeforeValidator(_whole_number)
Text = Annotated[str, AfterValidator(_says_something)]  # text that no default stands in for
Distinct = AfterValidator(_no_duplicates)
Texts = Annotated[list[Text], Distinct]
Bucket = Annotated[str, AfterValidator(_bucket_url)]
Folder = Annotated[str, AfterValidator(_folder_url)]
StatePlace = Annotated[str, AfterValidator(_state_place)]
Size = Annotated[str, AfterValidator(_size)]
TableName = Annotated[str, AfterValidator(_table)]
ColumnNames = Annotated[list[Annotated[str, AfterValidator(_column)]], Distinct]
Secret = Annotated[str, AfterValidator(Reference)]
IdText = Annotated[str, BeforeValidator(_digits_as_text)]
IdSecret = Annotated[Secret, BeforeValidator(_digits_as_text)]


MAX_DAYS = (
    3660  # ten years: no time that settings name is longer, and date arithmetic has no room for much more
)
MAX_MINUTES = MAX_DAYS * 24 * 60


class Section(BaseModel):
    """A table of the file: unknown keys are errors, values never change, and no value is taken for another type."""

    # TOML has types, and variables are read as TOML: `true` for a number is a mistake, as are 0 for false and infinity.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
