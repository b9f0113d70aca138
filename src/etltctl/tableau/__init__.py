"""Tableau: typed Hyper extracts, publishing and refreshing data sources, re-pointing a saved one."""

from etltctl.tableau.hyper import hyper_types, write_extract
from etltctl.tableau.server import Datasource, Tableau
from etltctl.tableau.template import Target, repoint

__all__ = ["Datasource", "Tableau", "Target", "hyper_types", "repoint", "write_extract"]
