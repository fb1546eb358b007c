"""MOT Challenge 1.1: sequences of frames, and boxes of tracks in ``gt/gt.txt``."""

from .format import Mot

__all__ = ["Mot"]
