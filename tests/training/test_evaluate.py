import pytest
import torch
from torch import nn

from dlexp.data import Dataset, Split
from dlexp.training.evaluate import accuracy, evaluating, predict


@pytest.fixture
def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))


def test_predicting_leaves_no_trace(net: nn.Sequential, dataset: Dataset) -> None:
    net.train()
    net[1].eval()  # frozen on purpose
    before = {name: value.clone() for name, value in net.state_dict().items()}
    random_state = torch.get_rng_state()
    predict(net, dataset.test, batch_size=7)
    assert [module.training for module in net] == [True, False, True, True]
    assert net.training
    assert all(value.equal(before[name]) for name, value in net.state_dict().items())
    assert torch.get_rng_state().equal(random_state)


def test_the_mode_comes_back_after_an_error(net: nn.Sequential) -> None:
    modes_inside: list[bool] = []

    def fail() -> None:
        with evaluating(net):
            modes_inside.append(net.training)
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        fail()
    assert modes_inside == [False]
    assert all(module.training for module in net.modules())


@pytest.mark.parametrize("batch_size", [1, 7, 20, 100])
def test_logits_are_in_order_whatever_the_batch_size(net: nn.Sequential, dataset: Dataset, batch_size: int) -> None:
    logits = predict(net, dataset.test, batch_size)
    with torch.no_grad():
        torch.testing.assert_close(logits, net.eval()(dataset.test.x))
    assert not logits.requires_grad


def test_accuracy_is_the_fraction_of_right_answers() -> None:
    split = Split(torch.eye(4), torch.tensor([0, 1, 2, 0]))
    assert accuracy(nn.Identity(), split, batch_size=3) == 0.75
