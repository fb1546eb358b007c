"""AVA: actions of persons at moments of videos, a CSV file and the list of actions."""

from __future__ import annotations

from .format import Ava

__all__ = ["Ava"]
