"""The three rules for batch statistics of a layer put back."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlexp.data import Split
from dlexp.models import state_hash
from dlexp.probes.criticality import measure_criticality
from dlexp.probes.layer_statistics import has_batch_norm, reestimated, with_statistics
from dlexp.probes.reinitialisation import put_back


def with_norms() -> tuple[nn.Module, dict[str, Tensor], Split]:
    """A net in evaluation mode whose statistics are far from what its inputs have, an initial state, data."""
    torch.manual_seed(0)
    norm, activation = nn.BatchNorm1d(5), nn.ReLU()
    first = nn.Sequential(OrderedDict(linear=nn.Linear(3, 5), bn=norm, activation=activation))
    second = nn.Sequential(OrderedDict(linear=nn.Linear(5, 4), bn=nn.BatchNorm1d(4, momentum=0.3)))
    net = nn.Sequential(OrderedDict(first=first, second=second, fc=nn.Linear(4, 2)))
    state = {name: each + torch.rand(each.shape).to(each.dtype) for name, each in net.state_dict().items()}
    with torch.no_grad():
        norm.running_mean -= 1  # type: ignore[operator]
        norm.running_var *= 2  # type: ignore[operator]
    return net.eval(), state, Split(torch.rand(10, 3), torch.arange(10) % 2)


def test_snapshot_and_kept_statistics() -> None:
    net, state, data = with_norms()
    (snapshot,) = with_statistics(net, [state], "snapshot", data)
    assert all(torch.equal(snapshot[name], state[name]) for name in state)
    (kept,) = with_statistics(net, [state], "kept", data)
    buffers = dict(net.named_buffers())
    assert set(buffers) >= {"first.bn.running_mean", "second.bn.num_batches_tracked"}
    for name, tensor in kept.items():
        assert torch.equal(tensor, buffers.get(name, state[name])), name


def test_reestimated_statistics_by_hand() -> None:
    net, state, data = with_norms()
    before, momenta = state_hash(net), (net.first.bn.momentum, net.second.bn.momentum)  # type: ignore[union-attr]
    (made,) = with_statistics(net, [state], "reestimated", data, batch_size=10)
    x = data.x.double()  # type: ignore[union-attr]
    out = x @ state["first.linear.weight"].double().T + state["first.linear.bias"].double()
    torch.testing.assert_close(made["first.bn.running_mean"].double(), out.mean(0), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(made["first.bn.running_var"].double(), out.var(0), rtol=1e-4, atol=1e-6)
    # The second layer's inputs come from the first layer as trained, with its own statistics.
    with torch.no_grad():
        hidden = net.first(data.x).double()  # type: ignore[operator]
    out = hidden @ state["second.linear.weight"].double().T + state["second.linear.bias"].double()
    torch.testing.assert_close(made["second.bn.running_mean"].double(), out.mean(0), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(made["second.bn.running_var"].double(), out.var(0), rtol=1e-4, atol=1e-6)
    parameters = [name for name, _ in net.named_parameters()]
    assert all(torch.equal(made[name], state[name]) for name in parameters)
    assert state_hash(net) == before
    assert (net.first.bn.momentum, net.second.bn.momentum) == momenta  # type: ignore[union-attr]
    assert not any(module.training for module in net.modules())


def test_a_last_batch_of_one_sample_is_left_out() -> None:
    net, state, data = with_norms()
    (made,) = reestimated(net, [state], data, batch_size=9)
    assert int(made["first.bn.num_batches_tracked"]) == 1


def test_with_its_own_statistics_a_layer_put_back_is_normalised() -> None:
    net, state, data = with_norms()
    state["second.bn.weight"], state["second.bn.bias"] = torch.ones(4), torch.zeros(4)
    (made,) = reestimated(net, [state], data, batch_size=10)
    with torch.no_grad(), put_back(net, "second", made):
        out = net.second(net.first(data.x))  # type: ignore[operator]
    torch.testing.assert_close(out.mean(0), torch.zeros(4), rtol=0, atol=1e-3)
    torch.testing.assert_close(out.var(0), torch.ones(4), rtol=1e-3, atol=1e-3)


def test_an_interrupted_estimate_leaves_the_net_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    net, state, data = with_norms()
    net.train()
    before = state_hash(net)
    monkeypatch.setattr("dlexp.probes.prefix_reuse.Reuse.outputs", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        reestimated(net, [state], data)
    assert state_hash(net) == before
    assert [net.first.bn.momentum, net.second.bn.momentum] == [0.1, 0.3]  # type: ignore[union-attr]
    assert all(module.training for module in net.modules())


def test_the_rules_are_compared_where_there_are_statistics() -> None:
    net, state, data = with_norms()
    assert has_batch_norm(net)
    found = measure_criticality(net, {0: state}, [state], data, data, data, "kept", torch.Generator())
    assert set(found.statistics) == {"snapshot", "kept", "reestimated"}
    np.testing.assert_array_equal(found.statistics["kept"], found.initial)
    np.testing.assert_array_equal(found.fresh, found.initial)  # the same state, given as a fresh draw
    drops = np.array(list(found.statistics.values()))
    np.testing.assert_array_equal(drops[:, 2], drops[0, 2])  # fc has none
