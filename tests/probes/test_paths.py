"""Deleting and reordering blocks: the shared computation against one pass per path and against zeroed weights."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dlexp.data import Split
from dlexp.models import as_chain, state_hash
from dlexp.models.cifar_resnet import cifar_plain, cifar_resnet
from dlexp.probes.interventions import branch_parameters, zeroed
from dlexp.probes.layer_deletion import draw_plan, greedy_order, measure
from dlexp.probes.paths import (
    Path,
    Step,
    branches_computed,
    deletion,
    path_logits,
    permutation,
    predict_masked,
    predict_paths,
    skippable_blocks,
)


def shaken(net: nn.Module, seed: int = 0) -> nn.Module:
    """The net in evaluation mode with BatchNorm statistics and scales as after some training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                for tensor in (module.weight, module.running_var):
                    tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
                for tensor in (module.bias, module.running_mean):
                    tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.3)
    return net.eval()


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(3)
    return shaken(cifar_resnet((1, 8, 8), 10, depth=14, shortcut="B"))


@pytest.fixture
def split() -> Split:
    generator = torch.Generator().manual_seed(5)
    x = torch.rand(37, 1, 8, 8, generator=generator)
    return Split(x, torch.randint(10, (37,), generator=generator))


def one_by_one(net: nn.Module, x: Tensor, path: Path) -> Tensor:
    """The plain reading: one full pass for one path."""
    chain = as_chain(net)
    hidden = chain.stem(x)
    for step in path:
        block = chain.blocks[step.block][1]
        hidden = block(hidden) if step.kept else block.skip(hidden)
    return chain.head(hidden)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sets(st.integers(0, 5)), min_size=1, max_size=6), st.permutations([0, 1]))
def test_shared_beginnings_change_no_bit(deleted: list[set[int]], first_two: list[int]) -> None:
    torch.manual_seed(3)
    net = shaken(cifar_resnet((1, 8, 8), 10, depth=14))
    paths = [*(deletion(6, each) for each in deleted), permutation([*first_two, 2, 3, 4, 5])]
    x = torch.rand(4, 1, 8, 8)
    with torch.inference_mode():
        together = path_logits(as_chain(net), x, paths)
        for row, path in zip(together, paths, strict=True):
            assert row.equal(one_by_one(net, x, path))


def test_deleting_is_zeroing_the_branch_and_restores_the_weights(net: nn.Module, split: Split) -> None:
    before = state_hash(net)
    fast = predict_paths(net, split, [deletion(6, [block]) for block in range(6)], batch_size=16)
    for index, (_, block) in enumerate(as_chain(net).blocks):
        with zeroed(branch_parameters(block)):
            assert state_hash(net) != before
            literal = net(split.inputs()).argmax(-1)
        assert fast[index].equal(literal)
        assert state_hash(net) == before


def test_zeroed_weights_come_back_after_an_exception(net: nn.Module) -> None:
    before = state_hash(net)
    with pytest.raises(RuntimeError, match="in the middle"), zeroed(net.parameters()):
        raise RuntimeError("in the middle")
    assert state_hash(net) == before


def test_branch_parameters_leave_the_projection_alone(net: nn.Module) -> None:
    _, changing = as_chain(net).blocks[2]
    assert isinstance(changing, nn.Module)
    inner = sum(parameter.numel() for parameter in branch_parameters(changing))
    # two 3x3 convolutions 16 -> 32 -> 32 and two BatchNorms of 32
    assert inner == 9 * 16 * 32 + 9 * 32 * 32 + 2 * 2 * 32
    assert sum(parameter.numel() for parameter in changing.parameters()) == inner + 16 * 32 + 2 * 32


@given(st.integers(1, 54))
def test_all_single_deletions_cost_about_half(n: int) -> None:
    # Block j is computed once with nothing deleted before it, and once after each earlier deletion: n (n-1) / 2 and
    # the n - 1 kept beginnings, out of n (n - 1) for separate passes.
    paths = [deletion(n, [block]) for block in range(n)]
    assert branches_computed(paths) == (n - 1) + n * (n - 1) // 2
    assert branches_computed([*paths, deletion(n)]) <= 0.6 * n * n + 1


def test_modes_are_restored(net: nn.Module, split: Split) -> None:
    net.train()
    frozen = as_chain(net).blocks[0][1]
    assert isinstance(frozen, nn.Module)
    frozen.eval()
    before = state_hash(net)
    predict_paths(net, split, [deletion(6)])
    assert net.training
    assert not frozen.training
    assert state_hash(net) == before  # BatchNorm's running statistics included


def test_skippable_sets_keep_every_prediction(net: nn.Module, split: Split) -> None:
    deleted = skippable_blocks(net, split, batch_size=16)
    full = predict_paths(net, split, [deletion(6)])[0]
    assert deleted.shape == (6, 37)
    assert predict_masked(net, split, deleted, batch_size=10).equal(full)
    # sample by sample, through the plain reading
    for index in range(37):
        gone = [block for block in range(6) if deleted[block, index]]
        assert one_by_one(net, split.inputs()[index : index + 1], deletion(6, gone)).argmax() == full[index]


def test_skippable_sets_are_backwards_greedy(net: nn.Module, split: Split) -> None:
    # An independent, slow reading of the definition, one sample and one block at a time.
    deleted = skippable_blocks(net, split)
    for index in range(8):
        x = split.inputs()[index : index + 1]
        with torch.inference_mode():
            full = one_by_one(net, x, deletion(6)).argmax()
            chosen: list[int] = []
            for block in reversed(range(6)):
                if one_by_one(net, x, deletion(6, [*chosen, block])).argmax() == full:
                    chosen.append(block)
        assert {block for block in range(6) if deleted[block, index]} == set(chosen)


def test_masked_prediction_of_no_and_of_all_deletions(net: nn.Module, split: Split) -> None:
    none, every = torch.zeros(6, 37, dtype=torch.bool), torch.ones(6, 37, dtype=torch.bool)
    expected = predict_paths(net, split, [deletion(6), deletion(6, range(6))])
    assert predict_masked(net, split, none).equal(expected[0])
    assert predict_masked(net, split, every).equal(expected[1])


def test_greedy_order_by_brute_force(net: nn.Module, split: Split) -> None:
    order = greedy_order(net, split, 6)
    assert sorted(order) == list(range(6))
    gone: list[int] = []
    for chosen in order:
        right = {
            block: int((one_by_one(net, split.inputs(), deletion(6, [*gone, block])).argmax(-1) == split.y).sum())
            for block in range(6)
            if block not in gone
        }
        assert right[chosen] == max(right.values())
        assert chosen == min(block for block, count in right.items() if count == right[chosen])
        gone.append(chosen)


def test_plan_and_measurement_line_up(split: Split) -> None:
    torch.manual_seed(0)
    net = shaken(cifar_plain((1, 8, 8), 10, depth=14))
    plan = draw_plan(net, seed=1, draws=3, permutations=5)
    assert plan.names == ["layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer3.0", "layer3.1"]
    assert plan.identity.tolist() == [True, True, False, True, False, True]
    sizes = [sum(not step.kept for step in path) for path in plan.random]
    assert sizes == [size for size in range(1, 7) for _ in range(3)]
    found = measure(net, plan, split, split)
    with torch.inference_mode():
        for block in range(6):
            right = one_by_one(net, split.inputs(), plan.single[block]).argmax(-1) == split.y
            assert found.single[block].tolist() == right.tolist()
    assert found.greedy[-1].tolist() == found.random[-1].tolist()  # all blocks deleted, either way
    assert found.permuted.shape == (5, 37)


def test_a_net_without_equal_blocks_has_no_reorderings() -> None:
    plan = draw_plan(cifar_resnet((1, 8, 8), 10, depth=8), seed=0, draws=1, permutations=4)
    assert plan.permuted == plan.distances == []


def test_every_set_of_deletions_is_a_path() -> None:
    paths = {deletion(3, gone) for size in range(4) for gone in itertools.combinations(range(3), size)}
    assert len(paths) == 2**3  # the paths of Veit et al., figure 1
    assert deletion(2, [1]) == (Step(0, True), Step(1, False))
