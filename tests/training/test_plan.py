import pytest
import torch

from dlexp.data import Dataset
from dlexp.errors import InputError
from dlexp.training import plan as plan_module
from dlexp.training.plan import Plan, flops_per_step, plan_replicas


@pytest.fixture(autouse=True)
def two_cores(monkeypatch) -> None:
    monkeypatch.setattr(plan_module, "available_cores", lambda: 2)


def resnet(recipe, depth: int):
    node = {"_target_": "dlexp.models.cifar_resnet.cifar_resnet", "depth": depth, "shortcut": "A", "width": 1}
    return type(recipe)(**{**vars(recipe), "model": node})


def test_flops_of_a_linear_net_are_counted_exactly(dataset: Dataset, make_recipe) -> None:
    layers = 2 * (6 * 8 + 8 * 3)  # a multiplication and an addition for each weight
    assert flops_per_step(make_recipe(batch_size=16), dataset) == 3 * layers * 16
    assert flops_per_step(make_recipe(batch_size=10**6), dataset) == 3 * layers * 50


def test_small_mlps_are_stacked_from_eight_on(dataset: Dataset, make_recipe) -> None:
    recipes = [make_recipe(seed) for seed in range(8)]
    assert plan_replicas(recipes, dataset).method == "stacked"
    assert plan_replicas(recipes[:7], dataset).method == "loop"
    assert plan_replicas([*recipes[:7], make_recipe(7, lr=0.3)], dataset).method == "loop"


def test_convolutional_nets_go_to_processes_when_there_is_enough_to_do(make_dataset, make_recipe) -> None:
    data = make_dataset(n=256, shape=(3, 32, 32))
    long = [resnet(make_recipe(seed, epochs=50), 20) for seed in range(2)]
    assert plan_replicas(long, data).method == "processes"
    assert plan_replicas(long[:1], data).method == "loop"
    assert plan_replicas([resnet(make_recipe(seed, epochs=1), 8) for seed in range(2)], data).method == "loop"


def test_all_threads_are_used_for_one_large_net_only(make_dataset, make_recipe) -> None:
    torch.set_num_threads(2)
    data = make_dataset(n=64, shape=(3, 32, 32))
    large, small = resnet(make_recipe(batch_size=64), 20), make_recipe()
    assert plan_replicas([large], data).threads == 2
    assert plan_replicas([large, large], data, method="loop").threads == 1
    assert plan_replicas([small], data).threads == 1


def test_arithmetic_tells_apart_what_rounds_differently() -> None:
    assert Plan("loop", 1).arithmetic == Plan("processes", 1).arithmetic
    plans = [Plan("loop", 1), Plan("loop", 2), Plan("stacked", 1), Plan("loop", 1, "cuda")]
    assert len({plan.arithmetic for plan in plans}) == len(plans)


def test_planning_draws_no_random_number(dataset: Dataset, make_recipe) -> None:
    before = torch.get_rng_state()
    plan_replicas([make_recipe(seed) for seed in range(8)], dataset)
    assert torch.get_rng_state().equal(before)


@pytest.mark.parametrize(
    ("method", "device", "message"),
    [
        ("process", "cpu", "method=process: there is no such way to train replicas; did you mean 'processes'?"),
        ("processes", "cuda", "method=processes: for the CPU only, and device=cuda; use method=auto"),
    ],
)
def test_a_method_that_cannot_be_is_refused(method, device, message, dataset: Dataset, make_recipe) -> None:
    with pytest.raises(InputError) as caught:
        plan_replicas([make_recipe()], dataset, device, method)
    assert str(caught.value) == message
