"""SageMaker Ground Truth: augmented manifests."""

from __future__ import annotations

from .format import SageMaker

__all__ = ["SageMaker"]
