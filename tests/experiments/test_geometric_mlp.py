"""Exercise 2.1 through the real command line: sizes, refusals, controls, and claims against their tables."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

GRID = [(n, k) for n in (1, 3, 16) for k in (1, 2, 3)] + [(3, 4)]  # the last is model.n, model.k


def test_every_net_is_counted_and_the_too_large_ones_are_refused(smoke: Any) -> None:
    rows = {(row["n"], row["k"]): row for row in smoke.table("grid")}
    assert sorted(rows) == sorted(GRID)
    for (n, k), row in rows.items():
        widths = [64, *(k**i for i in range(1, n + 1)), 10]
        parameters = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))
        too_large = (n, k) in [(16, 2), (16, 3)]
        assert row["parameters"] == parameters
        assert row["built"].startswith("refused: needs") == too_large
        assert (row["accuracy"] is None) == too_large
        assert (row["training seconds"] is None) == too_large
    assert rows[16, 2]["built"] == "refused: needs 45.9 GB, beyond the limit of 4 GB"
    assert smoke.answer["metrics"]["nets_refused"] == 2


def test_the_net_that_was_asked_for_is_shown(smoke: Any) -> None:
    layers = smoke.table("layers")
    assert [row["neurons"] for row in layers] == [4, 16, 64, 10]
    assert sum(row["weights"] + row["biases"] for row in layers) == smoke.answer["metrics"]["parameters"] == 2078
    for row in smoke.table("memory"):
        if row["held for"] == "activations":
            assert row["measured bytes"] <= row["predicted bytes"] <= 2 * row["measured bytes"]
        else:
            assert row["measured bytes"] == row["predicted bytes"]


def test_controls_have_the_same_depth_and_no_more_parameters(smoke: Any) -> None:
    rows = smoke.table("orders")
    cells = sorted({(row["n"], row["k"]) for row in rows})
    assert cells == [(3, 2), (3, 3), (3, 4)]
    for cell in cells:
        orders = {row["order"]: row for row in rows if (row["n"], row["k"]) == cell}
        assert list(orders) == ["geometric", "reversed", "equal", "reversed, same neurons"]
        widths = {order: [int(width) for width in row["widths"].split("-")] for order, row in orders.items()}
        n, k = cell
        assert widths["geometric"] == [k**i for i in range(1, n + 1)]
        assert widths["reversed, same neurons"] == widths["geometric"][::-1]
        assert widths["reversed"] == sorted(widths["reversed"], reverse=True)
        assert len(widths["reversed"]) == len(widths["equal"]) == n
        assert len(set(widths["equal"])) == 1
        for order in ("reversed", "equal"):
            assert orders[order]["parameters"] <= orders["geometric"]["parameters"]


def test_claims_agree_with_the_tables(smoke: Any) -> None:
    grid = {(row["n"], row["k"]): row["accuracy"] for row in smoke.table("grid")}
    gain = grid[16, 1] - grid[1, 1]
    assert smoke.claim("depth_adds_nothing_to_one_neuron")["effect"] == pytest.approx(gain)
    # n = 1, k = 3 has 235 parameters and n = 3, k = 2 has 272: the pair nearest in size of the grid.
    assert smoke.claim("wider_entrance_beats_depth")["effect"] == pytest.approx(grid[1, 3] - grid[3, 2])
    rows = smoke.table("orders")
    for order in ("reversed", "equal"):
        gains = [row["over geometric"] for row in rows if row["order"] == order]
        assert smoke.claim(f"{order}_beats_geometric")["effect"] == pytest.approx(np.mean(gains))
    mirrored = [row["over geometric"] for row in rows if row["order"] == "reversed, same neurons"]
    assert smoke.answer["metrics"]["gain_of_same_neurons_reversed"] == pytest.approx(np.mean(mirrored))


def test_the_discussion_reads_the_verdicts(smoke: Any) -> None:
    discussion = smoke.text.split("## Discussion")[1]
    for name in ("equal_beats_geometric", "reversed_beats_geometric", "depth_adds_nothing_to_one_neuron"):
        claim = smoke.claim(name)
        assert f"{claim['effect']:+.3f}, {claim['verdict']}" in discussion
    assert "would need 45.9 GB" in discussion


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("model.n=9", "model.k=9"),
            "error: model.n=9 model.k=9: training this net of 1.69e+16 parameters needs 2.70e+8 GB, beyond the limit "
            "of 4 GB; choose a smaller n or k, or raise model.memory_gb",
        ),
        (
            ("model.memory_gb=0.0001",),  # enough for what the builder counts, not for the batch of this run
            "error: model.n=3 model.k=4: training this net of 2,078 parameters needs 162 kB, beyond the limit of "
            "0.0001 GB; choose a smaller n or k, or raise model.memory_gb",
        ),
        (("model=mlp",), "error: model=mlp: this exercise builds nets of n and k; use model=geometric_mlp"),
    ],
)
def test_bad_input_is_refused(dlexp_cli: Any, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    done = dlexp_cli(tmp_path, "run", "exercise=geometric_mlp", "scale=smoke", "threads=1", *words)
    assert (done.returncode, done.stderr.strip()) == (2, message)
