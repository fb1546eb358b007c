"""spaCy: training data as JSON."""

from .format import Spacy

__all__ = ["Spacy"]
