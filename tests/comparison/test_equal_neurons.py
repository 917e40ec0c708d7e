"""The same neurons in k layers: shapes, closed forms, and costs of the whole bench."""

from collections.abc import Callable

import pytest

from dlexp.comparison import equal_neurons
from dlexp.comparison.equal_neurons import EQUAL, NARROW, Bench, check_closed_forms, measure, shapes, train
from dlexp.errors import DlexpError
from dlexp.lab import Lab
from dlexp.models import state_hash
from dlexp.models.geometric_mlp import mlp_parameters
from dlexp.probes.indicators import FLOPS, PARAMETERS, PREDICTING, STEP_SECONDS, latency


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    return make_lab(seeds=2, epochs=1)


def test_shapes_share_the_neurons_and_controls_the_parameters(lab: Lab) -> None:
    found = shapes(lab, lab.config["model"], [64, 128], [2, 4, 8])
    assert [(each.family, each.neurons, each.k) for each in found[:5]] == [
        (EQUAL, 64, 2),
        (EQUAL, 64, 4),
        (EQUAL, 64, 8),
        (NARROW, 64, 4),
        (NARROW, 64, 8),
    ]
    assert found[1].widths == (16, 16, 16, 16)
    assert len({each.name for each in found}) == len(found) == 10
    parameters = {each: mlp_parameters((6, *each.widths, 3)) for each in found}
    for narrow in (each for each in found if each.family == NARROW):
        (deep,) = (each for each in found if (each.family, each.neurons, each.k) == (EQUAL, narrow.neurons, narrow.k))
        assert len(narrow.widths) == 2
        assert parameters[narrow] / parameters[deep] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_bench_counts_and_times_every_net(lab: Lab, batch_norm: bool) -> None:
    lab.config["model"]["batch_norm"] = batch_norm
    every = shapes(lab, lab.config["model"], [32], [2, 4])
    bench = Bench(measure(lab, lab.config["model"], every, [1, 50], rounds=5), {}, {})
    assert list(bench.costs) == every
    for costs in bench.costs.values():
        assert list(costs.timed) == [latency(1), latency(50), STEP_SECONDS]
    two, four = bench.of(EQUAL, 32)
    assert bench.against_two(two, PARAMETERS).mean == 1
    share = bench.against_two(four, PARAMETERS).mean
    extra = 32 if batch_norm else 0
    assert share == (mlp_parameters((6, 8, 8, 8, 8, 3)) + extra) / (mlp_parameters((6, 16, 16, 3)) + extra)
    assert bench.best(32, FLOPS) == 4
    assert bench.costs[four].counted[PREDICTING] < bench.costs[two].counted[PREDICTING]


def test_a_count_that_is_not_the_formulas_is_an_error(lab: Lab) -> None:
    (shape, *_) = shapes(lab, lab.config["model"], [32], [2, 4])
    with pytest.raises(DlexpError) as wrong:
        check_closed_forms(lab, lab.config["model"], shape, {PARAMETERS: 436, FLOPS: 800})
    assert str(wrong.value) == "deep 32 in 2: 436 parameters, but the formula says 435"


def test_every_net_is_trained_at_its_rate(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    those = shapes(lab, lab.config["model"], [16], [2, 4])
    tuned, accuracy = train(lab, lab.config["model"], those, [0.01, 0.1], 1)
    assert list(tuned) == list(accuracy) == those
    for shape, each in tuned.items():
        assert len(accuracy[shape]) == len(each.trained) == 2
        assert each.trained[0].recipe.model["widths"] == list(shape.widths)
        assert len({state_hash(one.net) for one in each.trained}) == 2
    again = equal_neurons.train(lab, lab.config["model"], those, [0.01, 0.1], 1)[1]
    assert again == accuracy
