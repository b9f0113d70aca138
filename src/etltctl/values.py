"""The nouns that everything hangs on: a table's name, a place in S3, names and texts in SQL.

Each is parsed once, where text enters etltctl. What has one of these types needs no further check.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from etltctl.errors import ConfigurationError, UsageError

# Airbyte's sync modes. By the first, the default of a connection, a sync takes the place of the one before.
OVERWRITE: Final = "full_refresh_overwrite"
APPEND: Final = "full_refresh_append"  # a sync adds everything again
INCREMENTAL: Final = "incremental_append"  # a sync adds only what is new
SYNC_MODES = (
    OVERWRITE,
    APPEND,
    INCREMENTAL,
)  # those that the settings know, as Airbyte's S3 destination does
LOCAL = "local"  # the environment that the embedded server serves
AWS = "aws"  # the environment of an account that every settings file has, named there or not
S3_URL = re.compile(r"s3[an]?://([^/]+)/?(.*)")  # Hadoop writes s3a:// and s3n:// for the same place
# A key whose last word is one of these names a secret, unless the word before says that it is part of a table.
SECRET_KEY = re.compile(
    r"(^|.*_)(password|passwd|passphrase|secret|token|credential|(api|access|private|secret)_?key)s?$"
)
ANY_KEY = re.compile(r"(^|.*_)keys?$")
PLAIN_KEY = re.compile(r"(^|.*_)(primary|public|foreign|cursor|sort|partition)_keys?$")
UNSAFE_SEGMENTS = frozenset({"", ".", ".."})  # of a path that is joined to a location


class SourceKind(StrEnum):
    """The kinds of sources that a project can add by name. Settings know one more, `HTTP`."""

    MONGODB = "mongodb"
    AIRBYTE = "airbyte"


HTTP = "http"


def is_billed(env: str) -> bool:
    """Return whether the services of an environment bill anything, by its name on record.

    A budget counts the work of the embedded services as if they did.

    Args:
        env: The environment's name, as the events of a run have it.
    """
    return env != LOCAL


@dataclass(frozen=True, order=True)
class TableName:
    """The name of a table in the lake: its layer, and its name within the layer."""

    layer: str
    name: str

    @classmethod
    def parse(cls, text: str | TableName) -> TableName:
        """Return the name that the text spells as `layer.table`.

        Args:
            text: Such as `gold.weather_daily`. A name that was parsed before is returned as it is.

        Raises:
            UsageError: The text has no layer or no table.
        """
        if isinstance(text, TableName):
            return text
        layer, _, name = text.partition(".")
        if not layer or not name:
            raise UsageError(
                f"{text!r} is not the name of a table",
                hint="write it as layer.table, such as gold.weather_daily",
            )
        return cls(layer, name)

    @classmethod
    def is_one(cls, text: str) -> bool:
        """Return whether the text spells a table's name, be there such a table or not."""
        layer, _, name = text.partition(".")
        return bool(layer and name)

    def __str__(self) -> str:
        """Return the name as `layer.table`."""
        return f"{self.layer}.{self.name}"


@dataclass(frozen=True, order=True)
class S3Location:
    """A place in S3: a bucket, and a key or the prefix of keys. The prefix of a folder ends with `/`."""

    bucket: str
    key: str = ""

    @classmethod
    def parse(cls, text: str | S3Location) -> S3Location:
        """Return the place that an S3 URL names.

        Args:
            text: Such as `s3://bucket/folder/`. A location that was parsed before is returned as it is.

        Raises:
            ConfigurationError: The text is not an S3 URL.
        """
        if isinstance(text, S3Location):
            return text
        match = S3_URL.fullmatch(text)
        if not match:
            raise ConfigurationError(
                f"{text!r} is not an S3 location", hint="write it as s3://bucket/prefix/"
            )
        # The scheme is dropped: `s3a://` and `s3://` of one place are equal.
        return cls(match[1], match[2])

    @staticmethod
    def is_one(text: str) -> bool:
        """Return whether the text is an S3 URL, and not, for example, a folder on disk."""
        return S3_URL.fullmatch(text) is not None

    @property
    def path(self) -> str:
        """The place as an ARN writes it: the bucket, and the key after a `/`."""
        return f"{self.bucket}/{self.key}" if self.key else self.bucket

    def folder(self, *names: str) -> S3Location:
        """Return the folder of these names below this one; its key ends with `/`.

        Raises:
            ValueError: A name is empty or leads out of this folder.
        """
        return self.object("/".join(names), is_folder=True) if names else self._with_slash()

    def object(self, path: str, *, is_folder: bool = False) -> S3Location:
        """Return the object at a path below this folder.

        Raises:
            ValueError: A part of the path is empty or leads out of this folder.
        """
        # S3 takes `..` for a plain name, but tools that copy a lake to a disk do not.
        if not UNSAFE_SEGMENTS.isdisjoint(path.split("/")):
            raise ValueError(f"{path!r} is not a path below {self}")
        return replace(self, key=f"{self._with_slash().key}{path}{'/' if is_folder else ''}")

    def _with_slash(self) -> S3Location:
        # The root of a bucket has the empty prefix; `/` would be a folder without a name.
        is_whole = not self.key or self.key.endswith("/")
        return self if is_whole else replace(self, key=f"{self.key}/")

    def __str__(self) -> str:
        """Return the place as an s3:// URL."""
        return f"s3://{self.bucket}/{self.key}"


def layer_of(place: str) -> str:
    """Return the layer of a place in the lake.

    Args:
        place: `layer`, `layer.table` or `layer.table.column`; may be empty, and so is the layer then.
    """
    return place.partition(".")[0]


def years_text(years: Sequence[int]) -> str:
    """Return ascending years as a text, runs of them as `2019 to 2021`."""
    runs: list[list[int]] = []
    for year in years:
        if runs and year == runs[-1][-1] + 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    return ", ".join(f"{each[0]} to {each[-1]}" if len(each) > 1 else str(each[0]) for each in runs)


def quoted_name(name: str) -> str:
    """Return a column's or table's name as Athena reads it in a query: in double quotes, those within it doubled.

    Quoted, any character may stand in it, and no reserved word is meant. A statement of Hive's DDL takes backticks in
    their place. Sources: the rule `QUOTED_IDENTIFIER` of Trino's grammar (SqlBase.g4), and Athena's page "Escape
    reserved keywords in queries".
    """
    return '"' + name.replace('"', '""') + '"'


def quoted_text(text: str) -> str:
    """Return a text as a literal of Athena's SQL: in single quotes, those within it doubled.

    A backslash is a character like any other. Source: the rule `STRING` of Trino's grammar (SqlBase.g4).
    """
    # A backslash escapes nothing in Trino, so quotes are the only character that can end the literal.
    return "'" + text.replace("'", "''") + "'"


def sounds_secret(key: str, *, may_name_column: bool = False) -> bool:
    """Return whether a key of a configuration names a secret, such as `apiKey` or `client_secret`.

    Args:
        key: The key, without those of the tables around it.
        may_name_column: Whether a key such as `join_key` is as likely to name a column, as in the options of a job.
    """
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", key).lower()
    if SECRET_KEY.fullmatch(snake):
        return True
    return not may_name_column and bool(ANY_KEY.fullmatch(snake)) and not PLAIN_KEY.fullmatch(snake)
