"""LFW, Labeled Faces in the Wild: a folder per person, pairs, landmarks."""

from .format import Lfw

__all__ = ["Lfw"]
