"""The state hash changes with any bit of the state and with nothing else."""

import copy

import pytest
import torch
from torch import nn

from dlexp.models import state_hash


def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))


def test_equal_nets_and_other_memory_formats_hash_alike():
    net = build()
    assert state_hash(net) == state_hash(build()) == state_hash(copy.deepcopy(net))
    assert state_hash(net.to(memory_format=torch.channels_last)) == state_hash(build())
    assert len(state_hash(net)) == 64


@pytest.mark.parametrize("key", list(build().state_dict()))
def test_the_last_bit_of_any_tensor_counts(key):
    net, before = build(), state_hash(build())
    tensor = net.state_dict()[key].reshape(-1)
    kept = tensor.clone()
    tensor[-1] = tensor[-1] + 1 if tensor.dtype == torch.int64 else torch.nextafter(tensor[-1], torch.tensor(9.0))
    assert state_hash(net) != before
    tensor.copy_(kept)
    assert state_hash(net) == before


def test_name_dtype_shape_and_hidden_buffers_count():
    one, two = nn.Module(), nn.Module()
    one.register_buffer("a", torch.zeros(4))
    two.register_buffer("b", torch.zeros(4))
    reshaped, typed, hidden = nn.Module(), nn.Module(), nn.Module()
    reshaped.register_buffer("a", torch.zeros(2, 2))
    typed.register_buffer("a", torch.zeros(4, dtype=torch.int32))
    hidden.register_buffer("a", torch.zeros(4))
    hidden.register_buffer("b", torch.zeros(0, dtype=torch.bfloat16), persistent=False)
    assert len({state_hash(net) for net in (one, two, reshaped, typed, hidden)}) == 5
