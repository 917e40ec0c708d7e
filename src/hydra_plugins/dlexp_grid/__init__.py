"""Hydra finds sweepers in this namespace only; the work is in `dlexp.sweep`."""

from typing import Any

from hydra.plugins.sweeper import Sweeper


class GridSweeper(Sweeper):  # type: ignore[misc]
    """Every combination of the swept values, under one parent run in MLflow."""

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        """Hydra's hook: keep what launching will need."""
        from hydra.core.plugins import Plugins

        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Run every job of the sweep that `arguments` describe."""
        from dlexp.sweep import run_sweep

        return run_sweep(self, arguments)
