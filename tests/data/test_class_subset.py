"""Some of the classes of a dataset: their samples, relabelled, and nothing else."""

import pytest
import torch

from dlexp.data import Dataset, Split
from dlexp.data.class_subset import class_halves, only_classes, samples_of


def made(n_classes: int = 5) -> Dataset:
    def split(n: int) -> Split:
        y = torch.arange(n) % n_classes
        return Split(torch.stack([y.float(), torch.arange(n).float()], dim=1), y)

    names = tuple("abcdefgh"[:n_classes])
    return Dataset("letters", split(20), split(10), split(15), names, torch.zeros(2), torch.ones(2), "f")


def test_samples_keep_their_order_and_classes_are_numbered_as_asked() -> None:
    whole, some = made(), only_classes(made(), [3, 1])
    assert some.classes == ("d", "b")
    for name in ("train", "val", "test"):
        before, after = getattr(whole, name), getattr(some, name)
        kept = [i for i, label in enumerate(before.y.tolist()) if label in (3, 1)]
        assert torch.equal(after.x, before.x[kept])
        assert [some.classes[label] for label in after.y] == [whole.classes[label] for label in before.y[kept]]
    assert torch.equal(some.mean, whole.mean)
    assert some.name == "letters, classes d, b"


def test_other_classes_or_another_order_are_other_data() -> None:
    prints = [only_classes(made(), chosen).fingerprint for chosen in ([0, 1], [1, 0], [0, 2], [0, 1, 2])]
    assert len({*prints, "f"}) == 5
    assert only_classes(made(), [0, 1]).fingerprint == prints[0]


def test_no_validation_samples_stay_none() -> None:
    whole = made()
    without = Dataset("letters", whole.train, None, whole.test, whole.classes, whole.mean, whole.std, "g")
    assert only_classes(without, [0, 1]).val is None


def test_halves_are_all_classes_once_and_another_seed_draws_others() -> None:
    drawn = set()
    for seed in range(10):
        one, other = class_halves(made(), seed)
        assert (one.n_classes, other.n_classes) == (2, 3)
        assert sorted(one.classes + other.classes) == ["a", "b", "c", "d", "e"]
        assert len(one.test) + len(other.test) == 15
        drawn.add(one.classes)
    assert len(drawn) > 3
    assert class_halves(made(), 0)[0].classes == class_halves(made(), 0)[0].classes


@pytest.mark.parametrize("classes", [[0], [0, 0], [0, 5], [-1, 0]])
def test_bad_classes_are_named(classes: list[int]) -> None:
    with pytest.raises(ValueError, match=r": must be two or more of 0\.\.4, each once") as caught:
        only_classes(made(), classes)
    assert str(caught.value).startswith(f"classes {classes}")


def test_too_few_classes_or_samples_are_named() -> None:
    with pytest.raises(ValueError, match=r"classes \[\d\]: must be two or more of 0\.\.2, each once"):
        class_halves(made(3), 0)
    with pytest.raises(ValueError, match=r"a split of 2 samples has none of the classes \[3, 4\]"):
        samples_of(Split(torch.zeros(2, 1), torch.tensor([0, 1])), [3, 4])
