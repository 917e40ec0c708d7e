"""What can serve as an activation, and what is said of what cannot."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from dlexp.errors import InputError
from dlexp.models.elementwise import refuse_unless_elementwise


@pytest.mark.parametrize("fine", [nn.ReLU(), nn.GELU(), nn.Tanh(), nn.Identity(), torch.square, lambda x: x * 0 + 1])
def test_elementwise_functions_pass(fine: Callable[[Tensor], Tensor]) -> None:
    refuse_unless_elementwise("fine", fine)


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (lambda x: x.softmax(-1), "it is not elementwise; each output may depend on its own input alone"),
        (lambda x: x - x.mean(), "it is not elementwise; each output may depend on its own input alone"),
        (lambda x: x.sum(), "it is not elementwise; each output may depend on its own input alone"),
        (lambda x: x.repeat(2), "it fails on float64 inputs: Number of dimensions of repeat dims"),
        (nn.Linear(6, 6), "it fails on float64 inputs: mat1 and mat2 must have the same dtype"),
        (lambda x: x.log(), "it is not finite between -4 and 4"),
        (lambda x: 1 / x.round(), "it is not finite between -4 and 4"),
        (lambda x: x * 0, "it is 0 between -4 and 4; nothing would pass through a net"),
    ],
)
def test_others_are_refused_by_name(function: Callable[[Tensor], Tensor], line: str) -> None:
    with pytest.raises(InputError) as refused:
        refuse_unless_elementwise("mine", function)
    assert str(refused.value).startswith(f"activation=mine: {line}")
