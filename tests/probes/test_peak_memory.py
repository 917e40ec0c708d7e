"""Peak memory, counted: what is alive at once, no more and no less."""

import pytest
import torch
from torch import nn

from dlexp.probes.peak_memory import peak_bytes

X = torch.ones(100)  # 400 bytes


def freed() -> torch.Tensor:
    big = torch.cat([X, X, X])  # 1200, gone before the next
    total = big.sum()  # 4
    del big
    return X * total  # 400


@pytest.mark.parametrize(
    ("function", "peak"),
    [
        (lambda: X + 1, 400),
        (lambda: (X + 1) * 2, 800),
        (lambda: ((X + 1) * 2) * 3, 800),
        (lambda: [X + 1, X + 2, X + 3], 1200),
        (lambda: (X + 1).view(10, 10).t()[2:], 400),
        (lambda: (X + 1).mul_(2).add_(1), 400),
        (lambda: torch.relu(X.view(10, 10)), 400),
        (lambda: X.view(10, 10), 0),
        (freed, 1204),
    ],
)
def test_by_hand(function, peak: int) -> None:
    assert peak_bytes(function) == peak


@pytest.mark.parametrize("widths", [[32, 32], [8, 8, 8, 8], [4, 64]])
def test_an_mlp_holds_two_neighbouring_activations(widths: list[int]) -> None:
    sizes = [16, *widths]
    layers = [part for a, b in zip(sizes, widths, strict=False) for part in (nn.Linear(a, b), nn.ReLU())]
    net, batch = nn.Sequential(*layers, nn.Linear(widths[-1], 2)), 50
    x = torch.ones(batch, 16)
    # Before and after an activation, and input and output of a linear map; the first input was there before.
    pairs = [2 * width for width in widths] + [a + b for a, b in zip(widths, [*widths[1:], 2], strict=True)]
    with torch.inference_mode():
        assert peak_bytes(lambda: net(x)) == 4 * batch * max(pairs)


def test_a_training_step_holds_gradients_and_what_the_optimizer_keeps() -> None:
    weight = nn.Parameter(torch.ones(1000))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9, foreach=False)

    def step() -> None:
        optimizer.zero_grad()
        weight.sum().backward()
        optimizer.step()

    first, second = peak_bytes(step), peak_bytes(step)
    assert first == pytest.approx(2 * 4000, abs=16)  # gradient and momentum
    assert second == pytest.approx(4000, abs=16)  # the momentum was there before
    assert peak_bytes(step) == second


def test_an_error_leaves_no_watch_behind() -> None:
    with pytest.raises(RuntimeError):
        peak_bytes(lambda: X + torch.ones(3))
    assert peak_bytes(lambda: X + 1) == 400
