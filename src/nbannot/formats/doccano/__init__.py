"""doccano: texts with labels, as JSON lines or CSV."""

from .format import Doccano

__all__ = ["Doccano"]
