"""Tables: CSV, TSV, JSON lines, Parquet, DataFrames; what each column is, is found out."""

from __future__ import annotations

from .format import TABLE_ROLES, Role, Table, infer_roles, roles_view

__all__ = ["TABLE_ROLES", "Role", "Table", "infer_roles", "roles_view"]
