import torch
from hypothesis import given
from hypothesis import strategies as st

from dlexp.training.batches import batches, steps_per_epoch


def draw(n: int, batch_size: int, seed: int) -> list[torch.Tensor]:
    return list(batches(n, batch_size, torch.Generator().manual_seed(seed), torch.device("cpu")))


@given(n=st.integers(1, 200), batch_size=st.integers(1, 64), seed=st.integers(0, 2**31))
def test_an_epoch_meets_every_sample_once_and_never_one_alone(n: int, batch_size: int, seed: int) -> None:
    pieces = draw(n, batch_size, seed)
    assert sorted(torch.cat(pieces).tolist()) == list(range(n))
    assert len(pieces) == steps_per_epoch(n, batch_size)
    assert all(len(piece) == batch_size for piece in pieces[:-1])
    assert len(pieces[-1]) <= batch_size + 1
    assert n == 1 or batch_size == 1 or len(pieces[-1]) > 1


def test_the_order_is_the_generators_permutation() -> None:
    expected = torch.randperm(10, generator=torch.Generator().manual_seed(3))
    assert torch.cat(draw(10, 4, 3)).equal(expected)
    assert [len(piece) for piece in draw(10, 4, 3)] == [4, 4, 2]
    assert [len(piece) for piece in draw(9, 4, 3)] == [4, 5]
