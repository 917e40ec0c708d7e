"""From the words after `dlexp run` to Hydra, and from Hydra's errors to one clear line."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from dlexp import compose, tracking
from dlexp.errors import DlexpError, InputError, one_line

RUNS = {"-m", "--multirun", "-r", "--run"}  # with any other flag Hydra only shows something
FOLDERS = ("hydra.run.dir=", "hydra.sweep.dir=")


def launch(arguments: Sequence[str]) -> None:
    """Run Hydra on `arguments` as if they were its own command line.

    Raises:
        InputError: the arguments do not compose, or the exercise refuses what they ask for.
        DlexpError: the run failed.
    """
    words: list[str] = []
    try:
        flags, overrides = compose.split_arguments(arguments)
        if "--hydra-help" not in flags:
            overrides = compose.expand_scale(compose.with_user_folders(overrides))
        words = [*flags, *overrides]
        if RUNS.issuperset(flags):
            tracking.writer()  # starts now, so that mlflow is imported on one core while torch is on another
        _run_hydra(words)
    except (HydraException, OmegaConfBaseException) as error:
        from dlexp.explain import explain

        raise explain(error, words or arguments) from error
    except DlexpError:
        raise
    except Exception as error:
        _refuse_folder(error, words)
        where = "; ".join(getattr(error, "__notes__", ["--debug shows the traceback"]))
        raise DlexpError(f"the run failed: {one_line(error)} ({where})") from error


def _refuse_folder(error: Exception, words: Sequence[str]) -> None:
    """Raise InputError if `error` is that a folder which the user chose cannot be made."""
    if not isinstance(error, OSError) or error.filename is None:
        return
    for word in words:
        folder = Path(word.partition("=")[2])
        if word.startswith(FOLDERS) and Path(error.filename) in (folder, *folder.parents):
            raise InputError(f"{word}: cannot be made ({error.strerror})") from error


def _run_hydra(words: Sequence[str]) -> None:
    compose.register_resolvers()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing its own message and exiting
    sys.argv = ["dlexp run", *words]

    from hydra.core.plugins import Plugins

    from dlexp.job import failures, hydra_main
    from hydra_plugins.dlexp_grid import GridSweeper

    Plugins.instance().register(GridSweeper)  # Hydra's own search does not see editable installs
    failures.clear()
    hydra_main()
    if failures:
        raise failures[0]
