import re
from itertools import pairwise

import pytest
import torch
from torch import nn

from dlexp.data import Dataset, Split
from dlexp.errors import DlexpError, InputError
from dlexp.models import build_model
from dlexp.training.callbacks import Callback, Training
from dlexp.training.evaluate import predict
from dlexp.training.loop import fit
from dlexp.training.recipe import Trainer
from dlexp.training.single import train_one


def test_the_loop_is_the_textbook_loop(dataset: Dataset, make_recipe, same_bits) -> None:
    recipe = make_recipe(seed=5, model={"dropout": 0.2})
    trained = train_one(recipe, dataset)

    torch.manual_seed(5)
    net = build_model(recipe.model, (6,), 3, dataset.mean, dataset.std)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=3 * 4)
    order = torch.Generator().manual_seed(5)
    losses, rates = [], []
    for _ in range(3):
        total = 0.0
        for index in torch.randperm(50, generator=order).split(16):
            loss = nn.functional.cross_entropy(net(dataset.train.x[index]), dataset.train.y[index])
            optimizer.zero_grad()
            loss.backward()
            rates.append(scheduler.get_last_lr()[0])
            optimizer.step()
            scheduler.step()
            total += loss.item() * len(index)
        losses.append(total / 50)

    assert same_bits(trained.net, net)
    assert [row["epoch"] for row in trained.history] == [1, 2, 3]
    assert [row["lr"] for row in trained.history] == rates[3::4]
    assert [row["train_loss"] for row in trained.history] == pytest.approx(losses, rel=1e-6)


def test_the_seed_alone_decides_and_the_callers_random_state_stays(dataset: Dataset, make_recipe, same_bits) -> None:
    torch.manual_seed(99)
    before = torch.get_rng_state()
    one = train_one(make_recipe(seed=1, model={"dropout": 0.5}), dataset)
    assert torch.get_rng_state().equal(before)
    torch.rand(10)
    assert same_bits(one.net, train_one(make_recipe(seed=1, model={"dropout": 0.5}), dataset).net)
    assert not same_bits(one.net, train_one(make_recipe(seed=2, model={"dropout": 0.5}), dataset).net)


def test_no_epochs_leave_the_initialisation(dataset: Dataset, make_recipe, same_bits) -> None:
    trained = train_one(make_recipe(seed=3, epochs=0), dataset)
    torch.manual_seed(3)
    assert same_bits(trained.net, build_model(trained.recipe.model, (6,), 3, dataset.mean, dataset.std))
    assert trained.history == []


def test_a_last_batch_of_one_does_not_break_batch_norm(make_dataset, make_recipe) -> None:
    trained = train_one(make_recipe(model={"batch_norm": True}, epochs=2), make_dataset(n=33))
    counts = [value for name, value in trained.net.state_dict().items() if name.endswith("num_batches_tracked")]
    assert [int(count) for count in counts] == [4]  # 33 samples are batches of 16 and 17


def test_clipping_bounds_the_step_of_plain_sgd(dataset: Dataset, make_recipe) -> None:
    class StepLengths(Callback):
        lengths: tuple[float, ...] = ()
        weights: torch.Tensor

        def on_gradients(self, training: Training) -> None:
            self.weights = nn.utils.parameters_to_vector(training.net.parameters()).detach()

        def on_step_end(self, training: Training) -> None:
            now = nn.utils.parameters_to_vector(training.net.parameters()).detach()
            self.lengths += (float((now - self.weights).norm()),)

    sgd = {"_target_": "torch.optim.SGD", "lr": 0.5}
    constant = {"_target_": "dlexp.training.schedulers.constant"}
    steps = StepLengths()
    train_one(make_recipe(optimizer=sgd, scheduler=constant, grad_clip=0.1), dataset, callbacks=[steps])
    assert len(steps.lengths) == 12
    assert steps.lengths == pytest.approx([0.5 * 0.1] * 12, rel=1e-3)


def test_a_loss_that_is_no_number_stops_the_run_and_says_where(dataset: Dataset, make_recipe) -> None:
    constant = {"_target_": "dlexp.training.schedulers.constant"}
    with pytest.raises(DlexpError) as caught:
        train_one(make_recipe(lr=1e20, scheduler=constant), dataset)
    assert re.fullmatch(
        r"the loss is (nan|inf) in epoch 1, step \d \(learning rate 1e\+20, gradient norm \S+ at step \d\); "
        r"try a smaller learning rate, trainer\.grad_clip, or look for NaN in the data",
        str(caught.value),
    )


def test_nan_in_the_data_is_found_in_the_first_step(dataset: Dataset, make_recipe) -> None:
    broken = Split(torch.full_like(dataset.train.x, torch.nan), dataset.train.y)
    data = Dataset("x", broken, None, broken, dataset.classes, dataset.mean, dataset.std, "x")
    with pytest.raises(DlexpError, match=r"loss is nan in epoch 1, step 1 \(learning rate 0.05, no gradient yet\)"):
        train_one(make_recipe(), data)


def test_plateau_cuts_the_rate_once_the_loss_stands_still(dataset: Dataset, make_recipe) -> None:
    class StandStill(Callback):
        def on_gradients(self, training: Training) -> None:
            for parameter in training.net.parameters():
                parameter.grad = None

    plateau = {"factor": 0.5, "patience": 1, "threshold": 1e-4, "min_lr": 0.0}
    scheduler = {"_target_": "dlexp.training.schedulers.plateau", **plateau}
    recipe = make_recipe(lr=0.4, scheduler=scheduler, epochs=6)
    history = train_one(recipe, dataset, callbacks=[StandStill()]).history
    # The first epoch sets the best loss, the second is waited for, after the third the rate falls.
    assert [row["lr"] for row in history] == pytest.approx([0.4, 0.4, 0.4, 0.2, 0.2, 0.1])


def test_augmentation_has_its_own_stream_and_changes_training_inputs_only(make_dataset, same_bits) -> None:
    data = make_dataset(shape=(1, 4, 4))
    seen: list[torch.Tensor] = []

    def noisy(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        seen.append(torch.rand(1, generator=generator))
        return x

    nets = []
    for augment in (None, noisy):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
        fit(
            net,
            data,
            optimizer=torch.optim.SGD(net.parameters(), lr=0.1),
            scheduler=None,
            loss=nn.CrossEntropyLoss(),
            trainer=Trainer(epochs=1, batch_size=10),
            seed=0,
            augment=augment,
        )
        nets.append(net)
    assert same_bits(*nets)  # what the augmentation draws leaves the order of the samples alone
    assert len(seen) == 5
    assert all(not one.equal(other) for one, other in pairwise(seen))


def test_channels_last_and_bf16_are_used_when_asked_for_and_leave_the_net_as_it_was(make_dataset, make_recipe) -> None:
    class Formats(Callback):
        seen: tuple[bool, torch.dtype | None] = (False, None)

        def on_start(self, training: Training) -> None:
            conv = next(module for module in training.net.modules() if isinstance(module, nn.Conv2d))
            conv.register_forward_hook(self.look)

        def look(self, module: nn.Module, args: tuple[torch.Tensor], out: torch.Tensor) -> None:
            self.seen = (out.is_contiguous(memory_format=torch.channels_last), out.dtype)

    data = make_dataset(shape=(3, 8, 8))
    model = {"_target_": "dlexp.models.cifar_resnet.cifar_resnet", "depth": 8, "shortcut": "A", "width": 1}
    recipe = make_recipe(epochs=1, channels_last=True, precision="bf16")
    recipe = type(recipe)(**{**vars(recipe), "model": model})
    formats = Formats()
    net = train_one(recipe, data, callbacks=[formats]).net
    assert formats.seen == (True, torch.bfloat16)
    assert all(parameter.is_contiguous() and parameter.dtype == torch.float32 for parameter in net.parameters())
    assert predict(net, data.test).dtype == torch.float32


def test_settings_that_torch_refuses_are_input_errors(dataset: Dataset, make_recipe) -> None:
    with pytest.raises(InputError, match="optimizer: SGD refuses its settings: Invalid momentum value: -1"):
        train_one(make_recipe(optimizer={"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": -1.0}), dataset)
