"""Many nets at once, equal to training them one by one."""

from dlexp.training.single import Trained, train_one

__all__ = ["Trained", "train_one"]
