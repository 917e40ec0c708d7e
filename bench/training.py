"""The training loop against the loop one would write by hand: same net, same batches, same steps."""

import torch
from torch import nn

from bench.compare import Comparison, in_turn
from dlexp.data import Dataset, build_dataset
from dlexp.models import build_model
from dlexp.training.loop import fit
from dlexp.training.recipe import Trainer

EPOCHS, BATCH = 40, 128
WIDTHS = [128, 128]


def compare() -> list[Comparison]:
    """Seconds of 40 epochs of an MLP on digits."""
    torch.set_num_threads(1)  # a net this small gains nothing from more, and one thread is steadier
    node = {"_target_": "dlexp.data.embedded.digits", "val_fraction": 0.1, "test_fraction": 0.2, "train_size": None}
    data = build_dataset({**node, "test_size": None, "split_seed": 0, "mean": None, "std": None})

    def ours() -> None:
        net, optimizer, scheduler = make(data)
        trainer = Trainer(epochs=EPOCHS, batch_size=BATCH)
        fit(net, data, optimizer=optimizer, scheduler=scheduler, loss=nn.CrossEntropyLoss(), trainer=trainer, seed=0)

    def plain() -> None:
        net, optimizer, scheduler = make(data)
        x, y, order = data.train.x, data.train.y, torch.Generator().manual_seed(0)
        criterion = nn.CrossEntropyLoss()
        for _ in range(EPOCHS):
            for index in torch.randperm(len(x), generator=order).split(BATCH):
                loss = criterion(net(x[index]), y[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                scheduler.step()

    return [in_turn("training loop, bare loop", ours, plain, target=1.05, runs=15)]


def make(data: Dataset) -> tuple[nn.Module, torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """The same net, optimiser and schedule each time."""
    torch.manual_seed(0)
    activation = {"_target_": "torch.nn.ReLU", "_partial_": True}
    node = {"_target_": "dlexp.models.mlp.mlp", "widths": WIDTHS, "activation": activation, "weights": None}
    net = build_model(node, data.input_shape, data.n_classes, data.mean, data.std)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    return net, optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS * 11)
