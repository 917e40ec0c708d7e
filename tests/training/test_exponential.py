"""The exponential schedule against its closed form, and the paper's."""

import pytest
import torch

from dlexp.schema import instantiate


@pytest.mark.parametrize("total", [1, 7, 200])
def test_falls_by_one_factor_per_step_to_the_end_factor(total: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    node = {"_target_": "dlexp.training.exponential.exponential", "end_factor": 0.97**200}
    scheduler = instantiate(node, optimizer, total, where="scheduler")
    for t in range(total + 1):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.4 * 0.97 ** (200 * t / total), rel=1e-9)
        optimizer.step()
        scheduler.step()
