"""Tables of Iceberg: their files, metadata and commits, by the library pyiceberg.

The extra `iceberg` installs the library. Importing it takes most of a second, so this module does not: the other
modules of this package do, and they are imported by the first statement that concerns a table of Iceberg.
"""

from __future__ import annotations

from importlib.util import find_spec

from etltctl.errors import install
from etltctl.local.services.athena.dialect import QueryError

ROW = "$row"  # the position of a row in its file, for statements that change rows
MARK = "@"  # stands between a table's name and the version that a query reads


def require_library() -> None:
    """Require the library.

    Raises:
        QueryError: NOT_SUPPORTED if the extra `iceberg` is not installed.
    """
    if find_spec("pyiceberg") is None:
        raise QueryError(
            "NOT_SUPPORTED",
            "the embedded Athena reads and writes tables of Iceberg with a library that is not installed. Nothing was "
            f"changed. Install it: {install('iceberg')}; then restart the embedded server",
        )
