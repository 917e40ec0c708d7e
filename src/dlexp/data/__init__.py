"""Datasets: sources, splits, and preprocessing fitted on the training split only."""

from dlexp.data.build import build_dataset
from dlexp.data.dataset import Dataset, Split

__all__ = ["Dataset", "Split", "build_dataset"]
