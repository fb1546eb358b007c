"""Supervisely projects: meta.json, and a JSON file of annotations beside each image or video."""

from .format import Supervisely

__all__ = ["Supervisely"]
