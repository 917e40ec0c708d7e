"""What a net predicts when some of its blocks are deleted or reordered.

A *path* is the sequence of blocks that an input goes through, each kept or deleted (y_i = 0 + y_{i-1}; Veit et al.
2016, section 4). Paths that begin alike share the activations of their common beginning: the paths form a tree, and
every edge of the tree is computed once per batch. All N single deletions of N blocks then cost about N/2 full passes,
and give the very numbers of N separate passes. No weight is touched.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from dlexp.models import as_chain
from dlexp.training.evaluate import evaluating

if TYPE_CHECKING:
    from dlexp.data import Split
    from dlexp.models.chain import Chain


class Step(NamedTuple):
    """One block of a path: its index in the chain, and whether its branch is kept."""

    block: int
    kept: bool


Path = tuple[Step, ...]


def deletion(n_blocks: int, deleted: Iterable[int] = ()) -> Path:
    """The path through all blocks in order, with the branches of `deleted` set to 0."""
    gone = set(deleted)
    return tuple(Step(block, block not in gone) for block in range(n_blocks))


def permutation(order: Iterable[int]) -> Path:
    """The path through the blocks in another `order`, all of them kept."""
    return tuple(Step(block, True) for block in order)


@torch.inference_mode()
def predict_paths(net: nn.Module, split: "Split", paths: Sequence[Path], batch_size: int = 512) -> Tensor:
    """The class that `net`, in evaluation mode, predicts along each path.

    Returns:
        int64 (len(paths), N) on the CPU, for the N samples of `split`.
    """
    with evaluating(net):
        chain = as_chain(net)
        batches = [path_logits(chain, x, paths).argmax(-1).cpu() for x in inputs(split, batch_size)]
    return torch.cat(batches, dim=1)


def path_logits(chain: "Chain", x: Tensor, paths: Sequence[Path]) -> Tensor:
    """Logits (len(paths), N, K) of one batch `x` along each path; common beginnings are computed once."""
    logits: dict[int, Tensor] = {}

    def descend(hidden: Tensor, position: int, members: list[int]) -> None:
        following: dict[Step, list[int]] = defaultdict(list)
        ended = [index for index in members if len(paths[index]) == position]
        for index in members:
            if len(paths[index]) > position:
                following[paths[index][position]].append(index)
        if ended:
            result = chain.head(hidden)
            logits.update(dict.fromkeys(ended, result))
        for step, those in following.items():
            block = chain.blocks[step.block][1]
            descend(block(hidden) if step.kept else block.skip(hidden), position + 1, those)

    descend(chain.stem(x), 0, list(range(len(paths))))
    return torch.stack([logits[index] for index in range(len(paths))])


def branches_computed(paths: Sequence[Path]) -> int:
    """How many residual branches `path_logits` computes per batch; N paths one by one compute sum(kept)."""
    return len({path[: position + 1] for path in paths for position, step in enumerate(path) if step.kept})


@torch.inference_mode()
def skippable_blocks(net: nn.Module, split: "Split", batch_size: int = 512) -> Tensor:
    """For each sample, a set of blocks that can be deleted *together* without changing its predicted class.

    From the last block to the first, a block joins a sample's set when the prediction survives its deletion on top of
    those already in the set. Going backwards, all earlier blocks are still in place, so their activations are those of
    one full pass. The set is valid by construction; a larger one may exist.

    Returns:
        bool (n_blocks, N) on the CPU, True where deleted.
    """
    with evaluating(net):
        chain = as_chain(net)
        return torch.cat([_skippable_in_batch(chain, x).cpu() for x in inputs(split, batch_size)], dim=1)


def _skippable_in_batch(chain: "Chain", x: Tensor) -> Tensor:
    hidden = [chain.stem(x)]
    for _, block in chain.blocks:
        hidden.append(block(hidden[-1]))
    predicted = chain.head(hidden[-1]).argmax(-1)
    deleted = torch.zeros(len(chain.blocks), len(x), dtype=torch.bool, device=x.device)
    for index in reversed(range(len(chain.blocks))):
        tried = chain.blocks[index][1].skip(hidden[index])
        logits = masked_logits(chain, tried, deleted, start=index + 1)
        deleted[index] = logits.argmax(-1) == predicted
    return deleted


@torch.inference_mode()
def predict_masked(net: nn.Module, split: "Split", deleted: Tensor, batch_size: int = 512) -> Tensor:
    """Predicted classes (N,) when sample j goes through without the branches where `deleted[:, j]` (n_blocks, N)."""
    with evaluating(net):
        chain = as_chain(net)
        masks = torch.split(deleted, batch_size, dim=1)
        return torch.cat(
            [
                masked_logits(chain, chain.stem(x), mask.to(x.device), start=0).argmax(-1).cpu()
                for x, mask in zip(inputs(split, batch_size), masks, strict=True)
            ]
        )


def masked_logits(chain: "Chain", hidden: Tensor, deleted: Tensor, start: int) -> Tensor:
    """Logits from the input `hidden` of block `start` on, each sample without the branches `deleted` for it."""
    for index in range(start, len(chain.blocks)):
        block = chain.blocks[index][1]
        gone = deleted[index]
        if gone.all():
            hidden = block.skip(hidden)
        elif gone.any():
            hidden = torch.where(gone.view(-1, *[1] * (hidden.dim() - 1)), block.skip(hidden), block(hidden))
        else:
            hidden = block(hidden)
    return chain.head(hidden)


def inputs(split: "Split", batch_size: int) -> Iterator[Tensor]:
    """The samples of `split` in order, as float batches."""
    for start in range(0, len(split), batch_size):
        yield split.inputs(slice(start, start + batch_size))
