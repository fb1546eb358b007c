"""Prodigy: tasks as JSON lines, with what annotators answered."""

from .format import Prodigy

__all__ = ["Prodigy"]
