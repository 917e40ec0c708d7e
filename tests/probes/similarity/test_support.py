"""What the exercise builds on beside the measures: nothing, noise, maps that lose nothing, figures."""

import numpy as np
import pytest
import torch
from torch import nn

from dlexp.data import Split
from dlexp.probes.activations import activations
from dlexp.probes.similarity.all_measures import MEANS, NOISY, Noise, all_measures
from dlexp.probes.similarity.cka import linear_cka
from dlexp.probes.similarity.drawings import draw_against_size, draw_by_place, draw_identification, draw_maps
from dlexp.probes.similarity.invariances import changed, movements
from dlexp.probes.similarity.measures import MEASURES
from dlexp.probes.similarity.noisy_answers import noisy_answers
from dlexp.probes.similarity.null import reading_of_nothing
from dlexp.probes.similarity.procrustes import procrustes_distance
from dlexp.probes.similarity.rows import by_size
from dlexp.stats import Interval


@pytest.fixture
def split() -> Split:
    x = torch.rand(24, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return Split(x, torch.arange(24) % 2)


def net(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 5))


@pytest.mark.parametrize("features", [8, 32])
def test_the_biased_estimator_reads_features_over_features_and_samples(features: int) -> None:
    found = reading_of_nothing(MEASURES["linear CKA, biased"], 32, features, [(0, k) for k in range(40)])
    assert found.mean == pytest.approx(features / (features + 32), abs=0.02)
    assert found.n == 40


def test_nothing_is_drawn_from_its_seeds_and_size() -> None:
    seen = []

    def watch(x: np.ndarray, y: np.ndarray) -> float:
        seen.append((x, y))
        return float(x.mean())

    found = [reading_of_nothing(watch, 5, 3, [(0, 0), (0, 1)]) for _ in range(2)]
    assert found[0] == found[1]
    assert all(x.shape == y.shape == (5, 3) for x, y in seen)
    assert (seen[0][0] == seen[2][0]).all()
    assert (seen[0][0] != seen[0][1]).all()
    assert (seen[0][0] != seen[1][0]).all()


def test_the_maps_lose_nothing_and_are_what_they_are_called() -> None:
    x = np.random.default_rng(0).standard_normal((20, 4))
    made = changed(x, np.random.default_rng(1))
    assert made["orthogonal map"] @ made["orthogonal map"].T == pytest.approx(x @ x.T)
    assert made["isotropic scale"] == pytest.approx(7 * x)
    assert np.ptp(made["shift"] - x, axis=0) == pytest.approx(np.zeros(4), abs=1e-12)
    found = np.linalg.lstsq(x, made["invertible map"], rcond=None)[0]
    assert np.linalg.cond(found) == pytest.approx(100)


def test_movements_are_zero_where_a_measure_is_invariant() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 20, 4))
    x[:, 0] += 3 * y[:, 0]
    found = movements({"linear CKA": linear_cka, "mean": lambda a, b: float(np.mean(a))}, x, y, seed=0)
    cka = found["linear CKA"]
    assert [cka[name] for name in ("orthogonal map", "isotropic scale", "shift")] == [0, 0, 0]
    assert cka["invertible map"] > 0.001
    assert found["mean"]["isotropic scale"] == pytest.approx(6 * abs(x.mean()), abs=1e-8)


def test_noisy_answers_are_those_to_noisy_inputs(split: Split) -> None:
    made, scale = net(0).train(), torch.tensor([0.5])
    answers = noisy_answers(made, split, ["1", "4"], scale, repeats=3, seed=7)
    generator = torch.Generator().manual_seed(7)
    for repeat in range(3):
        noisy = Split(split.x + 0.5 * torch.randn(split.x.shape, generator=generator), split.y)
        for layer, features in activations(made, noisy, ["1", "4"]).items():
            assert answers[layer].shape == (24, 3, features.shape[1])
            assert torch.allclose(answers[layer][:, repeat], features, atol=1e-6)
    assert made.training


def test_every_measure_on_all_pairs_of_nets(split: Split) -> None:
    nets, layers = [net(seed) for seed in range(3)], ["1", "4"]
    noise = Noise(split, torch.tensor([0.3]), repeats=4, dimensions=100)
    found = all_measures(nets, split, noise, lambda function, items, label: [function(item) for item in items])
    assert list(found) == [*MEASURES, NOISY, MEANS]
    features = [activations(each, split, layers) for each in nets]
    answers = [noisy_answers(each, split, layers, noise.scale, 4, seed=k) for k, each in enumerate(nets)]
    for name in ("PWCCA", "Procrustes"):
        expected = [[MEASURES[name](features[2][i], features[0][j]) for j in layers] for i in layers]
        assert found[name][2, 0] == pytest.approx(np.array(expected))
    means = [{name: each.mean(dim=1) for name, each in those.items()} for those in answers]
    distance = [[procrustes_distance(means[1][i], means[2][j]) for j in layers] for i in layers]
    assert found[MEANS][1, 2] == pytest.approx(1 - np.array(distance) ** 2 / 2)
    assert (found[NOISY][~np.isnan(found[NOISY])] != found[MEANS][~np.isnan(found[MEANS])]).all()


def test_rows_of_a_table() -> None:
    rows = by_size({"a": [Interval(1, 0, 2, 3), Interval(4, None, None, 1)]}, "name", [8, 16], "samples", "mean")
    assert rows == [
        {"name": "a", "samples": 8, "mean": 1, "mean: low": 0, "mean: high": 2},
        {"name": "a", "samples": 16, "mean": 4, "mean: low": None, "mean: high": None},
    ]


def test_maps_share_one_scale_and_show_their_numbers() -> None:
    panels = {
        "one": (np.array([[1.0, 0.25], [-0.5, 0.0]]), ["a", "b"], ["c", "d"]),
        "two": (np.zeros((11, 2)), list("abcdefghijk"), ["c", "d"]),
    }
    made = draw_maps(panels, "CKA")
    first, second = made.axes[:2]
    assert [axes.get_title() for axes in (first, second)] == ["one", "two"]
    assert first.images[0].get_clim() == second.images[0].get_clim() == (0, 1)
    texts = {text.get_position(): text.get_text() for text in first.texts}
    assert texts == {(0, 0): "1.00", (1, 0): ".25", (0, 1): "-.50", (1, 1): ".00"}
    assert [tick.get_text() for tick in first.get_yticklabels()] == ["a", "b"]
    assert not second.texts  # too many to be read
    assert not made.axes[2].get_visible()


def test_identification_is_drawn_with_intervals_and_chance() -> None:
    series = {kind: {"CKA": Interval(0.5, 0.4, 0.6, 3), "RSA": Interval(0.2, 0.1, 0.3, 3)} for kind in ("a", "b")}
    (axes,) = draw_identification(series, 0.25, "share").axes
    assert [bar.get_width() for bar in axes.patches] == [0.5, 0.2, 0.5, 0.2]
    assert [line.get_xdata()[0] for line in axes.lines if line.get_label() == "chance"] == [0.25]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["chance", "a", "b"]


def test_curves_have_their_sizes_and_layers_as_ticks() -> None:
    series = {"a": [Interval(0.5, 0.4, 0.6, 3), Interval(0.2, 0.1, 0.3, 3)]}
    (axes,) = draw_against_size([16, 64], series, "samples", "CKA").axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["16", "64"]
    (axes,) = draw_by_place(["conv", "fc"], series, "CKA").axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["conv", "fc"]
    assert axes.lines[0].get_ydata().tolist() == [0.5, 0.2]
