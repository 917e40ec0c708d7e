import pytest
import torch

from dlexp.data import Dataset
from dlexp.errors import InputError
from dlexp.training import plan as plan_module
from dlexp.training.plan import Plan, Unit, divide, flops_per_step, plan_replicas


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


def planned(recipes, data: Dataset, method: str = "auto") -> Plan:
    return plan_replicas(recipes, [data] * len(recipes), method=method)


def spread(recipes, data: Dataset) -> bool:
    """Whether worker processes are started for these recipes."""
    datasets = [data] * len(recipes)
    return divide(recipes, datasets, plan_replicas(recipes, datasets))[1]


def test_small_mlps_are_stacked_from_eight_on(dataset: Dataset, make_recipe) -> None:
    recipes = [make_recipe(seed) for seed in range(8)]
    assert planned(recipes, dataset).stacked == (True,) * 8
    assert planned(recipes[:7], dataset).stacked == (False,) * 7
    other_rate, other_width = make_recipe(7, lr=0.3), make_recipe(7, model={"widths": [9]})
    assert planned([*recipes[:7], other_rate], dataset).stacked == (True,) * 8
    assert planned([*recipes, other_width], dataset).stacked == (*(True,) * 8, False)
    lbfgs = make_recipe(8, optimizer={"_target_": "torch.optim.LBFGS"})
    assert planned([lbfgs, *recipes], dataset).stacked == (False, *(True,) * 8)


def test_other_data_may_share_a_stack_if_it_has_the_same_form(make_dataset, make_recipe) -> None:
    recipes = [make_recipe(seed) for seed in range(8)]
    alike = [make_dataset(n=50) for _ in recipes]
    assert all(plan_replicas(recipes, alike).stacked)
    assert not any(plan_replicas(recipes, [*alike[:7], make_dataset(n=51)]).stacked)


def test_stacks_are_cut_for_the_cores_and_never_too_small(dataset: Dataset, make_recipe) -> None:
    short = [make_recipe(seed) for seed in range(20)]
    units, away = divide(short, [dataset] * 20, planned(short, dataset))
    assert (units, away) == ([Unit(tuple(range(20)), True)], False)
    long = [make_recipe(seed, epochs=20_000) for seed in range(20)]
    units, away = divide(long, [dataset] * 20, planned(long, dataset))
    assert (units, away) == ([Unit(tuple(range(10)), True), Unit(tuple(range(10, 20)), True)], True)
    units, away = divide(long[:10], [dataset] * 10, planned(long[:10], dataset))
    assert [len(unit.indices) for unit in units] == [10]


def test_a_part_of_a_plan_keeps_the_bits(dataset: Dataset, make_recipe) -> None:
    recipes = [*(make_recipe(seed) for seed in range(8)), make_recipe(8, model={"widths": [9]})]
    plan = planned(recipes, dataset)
    part = plan.part([2, 8])
    assert part.stacked == (True, False)
    assert [part.arithmetic(0), part.arithmetic(1)] == [plan.arithmetic(2), plan.arithmetic(8)]
    units, _ = divide([recipes[2], recipes[8]], [dataset] * 2, part)
    assert units == [Unit((0,), True), Unit((1,), False)]


def test_convolutional_nets_go_to_processes_when_there_is_enough_to_do(make_dataset, make_recipe) -> None:
    data = make_dataset(n=256, shape=(3, 32, 32))
    long = [resnet(make_recipe(seed, epochs=50), 20) for seed in range(2)]
    assert spread(long, data)
    assert not spread(long[:1], data)
    assert not spread([resnet(make_recipe(seed, epochs=1), 8) for seed in range(2)], data)


def test_all_threads_are_used_for_one_large_net_only(make_dataset, make_recipe) -> None:
    torch.set_num_threads(2)
    data = make_dataset(n=64, shape=(3, 32, 32))
    large, small = resnet(make_recipe(batch_size=64), 20), make_recipe()
    assert planned([large], data).threads == 2
    assert planned([large, large], data, method="loop").threads == 1
    assert planned([small], data).threads == 1


def test_arithmetic_tells_apart_what_rounds_differently() -> None:
    alone, stacked = (False,), (True,)
    assert Plan(alone, 1, spread=False).arithmetic(0) == Plan(alone, 1, spread=True).arithmetic(0)
    assert Plan(stacked, 1).arithmetic(0) == Plan(stacked, 2).arithmetic(0)  # a stack has one thread
    plans = [Plan(alone, 1), Plan(alone, 2), Plan(stacked, 1), Plan(alone, 1, "cuda")]
    assert len({plan.arithmetic(0) for plan in plans}) == len(plans)


def test_planning_draws_no_random_number(dataset: Dataset, make_recipe) -> None:
    before = torch.get_rng_state()
    planned([make_recipe(seed) for seed in range(8)], dataset)
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
