"""Work side by side equals work in turn, keeps the order, and leaves torch's threads as they were."""

import threading

import pytest
import torch

from dlexp.parallel import map_side_by_side, torch_threads


def test_results_stand_in_the_order_of_the_items() -> None:
    done: list[int] = []
    weights = [torch.full((8, 8), float(n)) for n in range(7)]
    found = map_side_by_side(lambda w: float((w @ w).sum()), weights, "cpu", lambda: done.append(1))
    assert found == [float((w @ w).sum()) for w in weights]
    assert len(done) == 7


def test_each_piece_has_one_thread_and_the_count_comes_back() -> None:
    before = torch.get_num_threads()
    assert set(map_side_by_side(lambda _: torch.get_num_threads(), range(4), "cpu", lambda: None)) <= {1, before}
    assert torch.get_num_threads() == before
    with pytest.raises(ValueError, match="inside"), torch_threads(before + 1):
        raise ValueError("inside")
    assert torch.get_num_threads() == before


def test_one_item_and_other_devices_stay_in_this_thread() -> None:
    here = threading.get_ident()
    assert map_side_by_side(lambda _: threading.get_ident(), [0], "cpu", lambda: None) == [here]
    assert map_side_by_side(lambda _: threading.get_ident(), [0, 1], "cuda", lambda: None) == [here, here]


def test_the_first_error_is_raised_and_nothing_new_is_started() -> None:
    started: list[int] = []

    def work(n: int) -> None:
        started.append(n)
        if n == 0:
            raise ValueError("the first fails")
        threading.Event().wait(0.05)

    with pytest.raises(ValueError, match="the first fails"):
        map_side_by_side(work, range(200), "cpu", lambda: None)
    assert len(started) < 200
