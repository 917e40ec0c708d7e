"""A sweep: every combination of the swept values, one job each, under one parent run in MLflow."""

import copy
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf, open_dict

from dlexp import compose, tracking
from dlexp.answer import markdown_table, to_json, write_atomically
from dlexp.errors import DlexpError
from dlexp.job import check_job
from dlexp.stats import mean_interval

Row = dict[str, Any]


def run_sweep(sweeper: Any, arguments: Sequence[str]) -> list[JobReturn]:
    """Run all jobs of `arguments`; a failed one does not stop the others.

    Raises:
        InputError: a job does not compose (found before any of them runs).
        DlexpError: some jobs failed; the table printed before says which and why.
    """
    jobs = [compose.expand_scale(words) for words in combinations(sweeper, arguments)]
    configs = [sweeper.hydra_context.config_loader.load_sweep_config(sweeper.config, words) for words in jobs]
    for config in configs:
        check_job(task_config(config), config.hydra.runtime.choices)
    folder = Path(sweeper.config.hydra.sweep.dir).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "multirun.yaml", OmegaConf.to_yaml(sweeper.config))
    print(f"sweep of {len(jobs)} jobs in {compose.show_path(folder)}", file=sys.stderr)

    parent = open_parent(configs[0], arguments, len(jobs))
    status = "FAILED"
    try:
        linked = [[*words, f"tracking.parent_run={parent.run_id}"] for words in jobs]
        returns = list(sweeper.launcher.launch(linked, initial_job_idx=0))
        rows = [job_row(words, arguments, done) for words, done in zip(jobs, returns, strict=True)]
        write_tables(folder, rows, parent)
        status = "FAILED" if any(row["status"] != "FINISHED" for row in rows) else "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        parent.artifacts(folder / "sweep")
        parent.close(status)
    failed = [row for row in rows if row["status"] != "FINISHED"]
    if failed:
        raise DlexpError(f"{len(failed)} of {len(rows)} jobs failed (see the table above)")
    return returns


def task_config(config: DictConfig) -> DictConfig:
    """A composed job without Hydra's own part."""
    plain = copy.copy(config)
    with open_dict(plain):
        del plain["hydra"]
    return plain


def combinations(sweeper: Any, arguments: Sequence[str]) -> list[list[str]]:
    """The overrides of each job: the Cartesian product of the swept ones, in the order written."""
    parser = OverridesParser.create(config_loader=sweeper.hydra_context.config_loader)
    (batch,) = BasicSweeper.split_arguments(parser.parse_overrides(list(arguments)), max_batch_size=None)
    return [list(words) for words in batch]


def open_parent(config: Any, arguments: Sequence[str], n_jobs: int) -> tracking.RunRecord:
    """The run that the jobs hang under; opened before any job, so that they never race for a new database."""
    address = tracking.Address.resolve(config.tracking.uri, config.tracking.artifacts)
    slug = config.hydra.runtime.choices.exercise
    swept = [word for word in arguments if compose.is_swept(word)]
    return tracking.writer().open(
        address,
        experiment=slug,
        run_name=f"sweep {' '.join(swept)}"[:120],
        params={word.partition("=")[0]: word.partition("=")[2] for word in swept},
        tags={"dlexp.exercise": slug, "dlexp.sweep": "parent", "dlexp.jobs": str(n_jobs)},
    )


def job_row(words: Sequence[str], arguments: Sequence[str], done: JobReturn) -> Row:
    """One job of the final table: what was swept, how it ended, its metrics or its error."""
    swept = {word.partition("=")[0] for word in arguments if compose.is_swept(word)}
    values = dict(word.partition("=")[::2] for word in words)
    row: Row = {key: value for key, value in values.items() if key in swept}
    if done.status is JobStatus.COMPLETED:
        return {**row, "status": "FINISHED", "error": "", "folder": done.hydra_cfg.hydra.runtime.output_dir}
    error = done._return_value
    return {**row, "status": "FAILED", "error": f"{error}", "folder": done.hydra_cfg.hydra.runtime.output_dir}


def write_tables(folder: Path, rows: Sequence[Row], parent: tracking.RunRecord) -> None:
    """The table of jobs, and means with intervals over `seed` for each other setting."""
    print(markdown_table([{key: value for key, value in row.items() if key != "folder"} for row in rows]))
    write_atomically(folder / "sweep" / "jobs.json", to_json(list(rows)))
    groups: dict[tuple[tuple[str, str], ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        answer = Path(row["folder"]) / "answer.json"
        if row["status"] != "FINISHED" or not answer.is_file():
            continue
        found = json.loads(answer.read_text(encoding="utf-8"))
        setting = tuple((key, value) for key, value in row.items() if key not in ("seed", "status", "error", "folder"))
        effects = {f"claim/{claim['name']}": claim["effect"] for claim in found["claims"]}
        for name, value in {**found["metrics"], **effects}.items():
            groups[setting][name].append(value)
    summary = [
        summary_row(dict(setting), name, values)
        for setting, metrics in groups.items()
        for name, values in metrics.items()
    ]
    write_atomically(folder / "sweep" / "over_seeds.json", to_json(summary))
    if summary:
        write_atomically(folder / "sweep" / "over_seeds.md", markdown_table(summary) + "\n")
    for row in summary:
        label = " ".join(f"{key} {row[key]}" for key in row if key not in ("metric", "mean", "low", "high", "n"))
        parent.metrics({f"{row['metric']}{'/' + label if label else ''}": row["mean"]})


def summary_row(setting: Mapping[str, str], name: str, values: Sequence[float]) -> Row:
    """Mean and 95 % interval of one metric over the seeds of one setting."""
    interval = mean_interval(values)
    return {
        **setting,
        "metric": name,
        "mean": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "n": interval.n,
    }
