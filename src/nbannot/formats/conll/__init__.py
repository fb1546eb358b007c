"""The CoNLL family: one token per line, with its tag."""

from .format import Conll

__all__ = ["Conll"]
