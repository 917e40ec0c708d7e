"""Bootstrap samples of a training split, as bagging needs them (Breiman 1996)."""

import hashlib
from dataclasses import replace

import torch

from dlexp.data.dataset import Dataset


def bootstrap(dataset: Dataset, seed: int) -> Dataset:
    """`dataset` with as many training samples as before, drawn from them with replacement; the rest is unchanged.

    On average 1 - 1/e = 63 % of the samples are drawn at least once. Mean and standard deviation stay those of the
    whole training split, so that all members of a bag see the same inputs.
    """
    stream = int.from_bytes(hashlib.sha256(f"bootstrap {seed}".encode()).digest()[:7], "big")
    n = len(dataset.train)
    index = torch.randint(0, n, (n,), generator=torch.Generator().manual_seed(stream))
    return replace(
        dataset,
        name=f"{dataset.name}, bootstrap sample",
        train=dataset.train.select(index.to(dataset.train.y.device)),
        fingerprint=hashlib.sha256(f"{dataset.fingerprint} bootstrap {seed}".encode()).hexdigest(),
    )
