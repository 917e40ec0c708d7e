"""From the words after `dlexp run` to Hydra, and from whatever goes wrong to one clear line."""

import os
import sys
from collections.abc import Sequence

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from dlexp import compose, tracking
from dlexp.errors import DlexpError

RUNS = ("-m", "--multirun", "-r", "--run")  # with any other flag Hydra only shows something


def launch(arguments: Sequence[str], debug: bool) -> None:
    """Run Hydra on `arguments` as if they were its own command line.

    Raises:
        InputError: the arguments do not compose, or the exercise refuses what they ask for.
        DlexpError: the run failed.
    """
    words = compose.expand_scale(compose.order_arguments(arguments))
    if not any(word.startswith("-") and word not in RUNS for word in words):
        tracking.writer()  # starts now, so that mlflow is imported on one core while torch is on another
    compose.register_resolvers()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing its own message and exiting
    sys.argv = ["dlexp run", *words]

    from hydra.core.plugins import Plugins

    from dlexp.job import failures, hydra_main
    from hydra_plugins.dlexp_grid import GridSweeper

    Plugins.instance().register(GridSweeper)  # Hydra's own search does not see editable installs
    try:
        hydra_main()
        if failures:
            raise failures[0]
    except (HydraException, OmegaConfBaseException) as error:
        if debug:
            raise
        raise compose.explain(error, words) from error
    except DlexpError:
        raise
    except Exception as error:
        if debug:
            raise
        reason = " ".join(str(error).split())[:300]
        raise DlexpError(
            f"the run failed: {type(error).__name__}: {reason} (its folder holds traceback.txt; --debug shows it here)"
        ) from error
