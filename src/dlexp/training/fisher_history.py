"""The trace of the Fisher information as a training goes on."""

from typing import Annotated

import torch
from pydantic import Field

from dlexp.probes.fisher import fisher_trace
from dlexp.training.callbacks import Callback, Training


class FisherTrace(Callback):
    """Adds `fisher_trace` to the history every `every` epochs and after the last one; the training is not changed.

    It is that of the net in evaluation mode on `samples` true training inputs, evenly spaced over the training split
    (all of them where there are fewer): what augmentation and deficits do to the inputs is not seen here. `draws`:
    labels drawn per sample, the same way after each epoch; None: the exact expectation over the classes. The row of
    the first epoch also has `fisher_trace_at_start`, that of the initialisation.
    """

    def __init__(
        self,
        samples: Annotated[int, Field(ge=1)],
        every: Annotated[int, Field(ge=1)] = 1,
        draws: Annotated[int, Field(ge=1)] | None = None,
    ) -> None:
        self.samples, self.every, self.draws = samples, every, draws
        self.at_start = 0.0
        self.x = torch.empty(0)

    def on_start(self, training: Training) -> None:
        """Take the samples, before any deficit begins."""
        train = training.dataset.train
        index = torch.linspace(0, len(train) - 1, min(self.samples, len(train))).round().long()
        self.x = train.inputs(index.to(train.y.device))

    def on_epoch_start(self, training: Training) -> None:
        if training.epoch == 0:
            self.at_start = self._measure(training)

    def on_epoch_end(self, training: Training) -> None:
        row, last = training.history[-1], training.epoch == training.trainer.epochs or training.stop
        if training.epoch == 1:
            row["fisher_trace_at_start"] = self.at_start
        if last or training.epoch % self.every == 0:
            row["fisher_trace"] = self._measure(training)

    def _measure(self, training: Training) -> float:
        generator = torch.Generator().manual_seed(training.epoch)
        rows = training.trainer.eval_batch_size
        return fisher_trace(training.net, self.x, draws=self.draws, generator=generator, rows=rows)
