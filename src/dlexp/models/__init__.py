"""Networks: built from a composed `model` group, normalised inside, loaded and taken apart safely."""

from dlexp.models.build import build_model
from dlexp.models.chain import Chain, as_chain
from dlexp.models.hashing import state_hash
from dlexp.models.inputs import Normalized
from dlexp.models.weights import load_weights

__all__ = ["Chain", "Normalized", "as_chain", "build_model", "load_weights", "state_hash"]
