"""Settings of Tableau: the site, its token by reference, and the data sources that pipelines renew."""

from __future__ import annotations

from pydantic import Field

from etltctl.settings.section import Secret, Section, TableName


class Datasource(Section):
    """One data source: an extract of `table` is published; without one its extract is refreshed on the server."""

    name: str = ""  # in Tableau; the key, unless named
    project: str = ""  # that of `tableau`, unless named
    table: TableName | None = None
    where: str = ""
    columns: list[str] = []


class Tableau(Section):
    """A site of Tableau Server or Cloud; `site` is its content URL, empty for the default site."""

    server: str = ""
    site: str = ""
    token_name: Secret = "env:TABLEAU_TOKEN_NAME"
    token_secret: Secret = "env:TABLEAU_TOKEN_SECRET"
    project: str = "default"
    timeout_minutes: int = Field(default=60, ge=1)
    datasources: dict[str, Datasource] = {}
