"""dlexp: the lab bench of a deep-learning course. One command runs one exercise and writes its answer."""

__version__ = "0.1.0"
