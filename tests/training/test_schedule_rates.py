"""Rates that a schedule gives, read off without a training."""

from pathlib import Path

import pytest
import yaml

from dlexp.errors import InputError
from dlexp.training.schedule_rates import schedule_rates

CONF = Path(__file__).parents[2] / "conf" / "scheduler"


def test_the_rates_are_those_of_the_steps() -> None:
    node = {"_target_": "dlexp.training.schedulers.step", "milestones": [0.5], "factor": 0.1}
    assert schedule_rates(node, 4, 2.0) == pytest.approx([2.0, 2.0, 0.2, 0.2])
    assert schedule_rates(node, 0, 2.0) == []


def test_what_waits_for_losses_has_none() -> None:
    assert schedule_rates(yaml.safe_load((CONF / "plateau.yaml").read_text()), 4, 2.0) is None


def test_a_refusal_says_where() -> None:
    node = {"_target_": "dlexp.training.schedulers.cosine", "min_lr": -1.0}
    with pytest.raises(InputError) as refused:
        schedule_rates(node, 4, 2.0, where="the rival cosine")
    assert str(refused.value) == "the rival cosine.min_lr=-1.0: input should be greater than or equal to 0"
