"""One composed configuration in, one recorded answer out."""

import functools
import json
import logging
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from dlexp import registry, tracking
from dlexp.answer import Answer, write_atomically
from dlexp.compose import show_path
from dlexp.errors import DlexpError, InputError
from dlexp.identity import flat_params, run_name, run_tags
from dlexp.processes import available_cores
from dlexp.registry import Exercise
from dlexp.schema import build_params
from dlexp.settings import Settings, choose_device, read_settings

if TYPE_CHECKING:
    from dlexp.data import Dataset
    from dlexp.lab import Lab

log = logging.getLogger(__name__)


class Terminated(KeyboardInterrupt):
    """SIGTERM: handled like Ctrl-C, so that what must be closed is closed."""

    exit_code = 143


@dataclass(frozen=True)
class Outcome:
    """What a finished run leaves to its caller."""

    answer: Answer
    run_id: str
    seconds: float


@hydra.main(config_path="pkg://dlexp.conf", config_name="config", version_base="1.3")  # type: ignore[untyped-decorator]
def hydra_main(config: DictConfig) -> float | None:
    """Hydra's entry: run one job, print its answer, return the number a sweeper may optimise."""
    from dlexp.summary import print_outcome

    runtime = HydraConfig.get().runtime
    single = HydraConfig.get().mode is RunMode.RUN
    try:
        outcome = run_job(config, Path(runtime.output_dir), runtime.choices)
    except Exception as error:
        if single:
            failures.append(error)  # Hydra would print a message of its own before ours
            return None
        print(f"job {HydraConfig.get().job.num}: FAILED, {error}", file=sys.stderr, flush=True)
        raise  # the sweeper goes on with the other jobs
    if single:
        print_outcome(outcome, tracking.Address.resolve(config.tracking.uri, config.tracking.artifacts))
    else:
        print(f"job {HydraConfig.get().job.num}: FINISHED in {outcome.seconds:.1f} s", file=sys.stderr, flush=True)
    return outcome.answer.objective


failures: list[Exception] = []
"""What went wrong in a single run, for `launch` to raise once Hydra has returned."""


def run_job(config: DictConfig, folder: Path, choices: Mapping[str, str]) -> Outcome:
    """Validate `config`, run its exercise into `folder`, and record it; `choices` names the option of each group.

    Raises:
        InputError: the configuration or the data are at fault; no MLflow run has been opened.
        DlexpError: the run failed; its MLflow run is closed as FAILED.
    """
    started = time.monotonic()
    _refuse_existing_answer(folder)
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    settings = read_settings(plain)
    address = tracking.Address.resolve(plain["tracking"]["uri"], plain["tracking"]["artifacts"])
    tracking.writer().prepare(address)
    exercise = registry.find(choices["exercise"])
    module, lab, params = _prepare(exercise, settings, plain, folder, choices)
    write_atomically(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(plain)))

    name = run_name(exercise, settings, HydraConfig.get().overrides.task if HydraConfig.initialized() else [])
    record = tracking.writer().open(
        address,
        experiment=exercise.slug,
        run_name=name,
        params=flat_params(plain),
        tags=run_tags(exercise, settings, plain, lab),
        parent=plain["tracking"]["parent_run"],
    )
    lab.record = record
    with _recorded(record, folder):
        module.run(lab, params)
        lab.answer.write(lab.evidence(), exercise.statement["en"])
        record.metrics({**lab.answer.metrics, **{f"claim/{c.name}": c.effect for c in lab.answer.claims}})
        record.tags({f"dlexp.verdict.{claim.name}": claim.verdict for claim in lab.answer.claims})
    return Outcome(lab.answer, record.run_id, time.monotonic() - started)


def check_job(config: DictConfig, choices: Mapping[str, str]) -> None:
    """Everything that `run_job` would refuse, without running: a sweep looks at all its jobs first."""
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    _prepare(registry.find(choices["exercise"]), read_settings(plain), plain, Path(), choices)


def _prepare(
    exercise: Exercise, settings: Settings, config: dict[str, Any], folder: Path, choices: Mapping[str, str]
) -> tuple[ModuleType, "Lab", Any]:
    """The experiment, its bench and its parameters; whatever can be refused is refused here, before a run is opened."""
    for group, default in exercise.groups.items():
        if not config.get(group):
            raise InputError(f"{group}: this exercise needs one; its default is {group}={default}")
    module = registry.load(exercise)
    params = build_params(module.Params, config["params"], "params")

    import torch

    from dlexp.lab import Lab

    torch.set_num_threads(settings.threads or available_cores())
    device = choose_device(settings.device)
    dataset = load_dataset(json.dumps(config["dataset"])).to(device) if config.get("dataset") else None
    answer = Answer(exercise.slug, f"{exercise.number} {exercise.title}", settings.scale, settings.repetitions, folder)
    lab = Lab(settings, config, device, answer, dataset, choices)
    if config.get("model") and dataset is not None:
        lab.check()
    if hasattr(module, "check"):
        module.check(lab, params)
    return module, lab, params


@functools.lru_cache(maxsize=1)
def load_dataset(node: str) -> "Dataset":
    """The data that a `dataset` group (as JSON) describes; the jobs of a sweep in one process share them."""
    from dlexp.data import build_dataset

    return build_dataset(json.loads(node))


@contextmanager
def _recorded(record: tracking.RunRecord, folder: Path) -> Iterator[None]:
    """Close the MLflow run with the status that is true, whatever happens inside."""
    status = "FAILED"
    try:
        with _sigterm_raises():
            yield
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        log.warning("interrupted")
        raise
    except Exception as error:
        log.exception("the run failed")
        (folder / "traceback.txt").write_text(traceback.format_exc(), encoding="utf-8")
        record.tags({"dlexp.error": f"{type(error).__name__}: {error}"})
        error.add_note(f"see {show_path(folder / 'traceback.txt')}, or say --debug")
        raise
    finally:
        for handler in logging.getLogger().handlers:
            handler.flush()
        record.artifacts(folder)
        try:
            record.close(status)
        except DlexpError:
            if status == "FINISHED":  # else the first error is the one to report
                raise


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    def handle(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    try:
        previous = signal.signal(signal.SIGTERM, handle)
    except ValueError:  # not the main thread: the host program decides about signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _refuse_existing_answer(folder: Path) -> None:
    if (folder / "answer.json").exists():
        raise InputError(f"hydra.run.dir={folder}: already holds an answer; choose another folder or remove it")
