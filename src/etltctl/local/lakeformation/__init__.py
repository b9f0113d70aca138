"""Lake Formation on this machine: what it holds, listed as the service lists it, and who may see what of a table."""

from etltctl.local.lakeformation.catalog_writes import CallerCatalog, CatalogWrites
from etltctl.local.lakeformation.enforcement import Guard
from etltctl.local.lakeformation.service import LakeFormationService

__all__ = ["CallerCatalog", "CatalogWrites", "Guard", "LakeFormationService"]
