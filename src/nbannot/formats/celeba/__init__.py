"""CelebA: identities, 40 attributes, boxes and five landmarks of faces."""

from .format import CelebA

__all__ = ["CelebA"]
