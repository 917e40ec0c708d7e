"""Exercise 7.5 through the real command line, and its claims against what the tables say."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from dlexp.models.cifar_resnet import cifar_resnet

DLEXP = str(Path(sys.executable).with_name("dlexp"))
SMOKE = ("run", "exercise=resnet_layer_deletion", "scale=smoke", "threads=1")


def test_claims_agree_with_the_tables(smoke) -> None:
    claims = {claim["name"]: claim["effect"] for claim in smoke.answer["claims"]}
    blocks = smoke.table("single_deletions")
    assert [row["block"] for row in blocks] == ["layer1.0", "layer2.0", "layer3.0"]  # depth 8
    identity = [row["residual drop"] for row in blocks if row["identity"]]
    changing = [row["residual drop"] for row in blocks if not row["identity"]]
    assert claims["identity_blocks_are_dispensable"] == pytest.approx(identity[0])
    difference = sum(changing) / 2 - identity[0]
    assert claims["shape_changing_blocks_matter_more"] == pytest.approx(difference)
    gap = sum(row["plain drop"] - row["residual drop"] for row in blocks) / 3
    assert claims["plain_net_collapses"] == pytest.approx(gap)
    curve = smoke.table("several_deletions")
    assert [row["deleted"] for row in curve] == [0, 1, 2, 3] * 4
    ends = {row["nets and choice"]: row["accuracy"] for row in curve if row["deleted"] == 3}
    assert ends["residual, random"] == pytest.approx(ends["residual, greedy"])  # all blocks gone, either way


def test_the_run_is_recorded(smoke) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{smoke.folder.parent / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("resnet_layer_deletion")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], order_by=["start_time ASC"])[:1]
    answer = smoke.answer
    assert run.info.status == "FINISHED"
    assert run.data.params["model.depth"] == "8"
    assert run.data.metrics["accuracy_residual"] == pytest.approx(answer["metrics"]["accuracy_residual"])
    for claim in answer["claims"]:
        assert run.data.tags[f"dlexp.verdict.{claim['name']}"] == claim["verdict"]
    kept = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"answer.md", "answer.json", "config.yaml", "figures", "tables", "run.log"} <= kept


def test_the_same_command_gives_the_same_files(smoke) -> None:
    for file in ("answer.json", "tables/single_deletions.csv", "figures/single_deletions.png"):
        assert (smoke.folder.parent / "again" / file).read_bytes() == (smoke.folder / file).read_bytes()


def test_a_killed_run_goes_on_in_the_middle_of_a_net(dlexp_cli, tmp_path: Path) -> None:
    words = (*SMOKE, "seeds=1", "params.plain_control=false", "trainer.epochs=30", "dataset.train_size=400")
    whole = dlexp_cli(tmp_path, *words, "store.dir=null", "hydra.run.dir=whole")
    assert whole.returncode == 0, whole.stderr
    words = (*words, "trainer.checkpoint_every=1")
    killed = subprocess.Popen([DLEXP, *words, "hydra.run.dir=killed"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    checkpoints = tmp_path / ".dlexp" / "store" / "checkpoints"
    while not list(checkpoints.glob("[!.]*.pt")):
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert not (tmp_path / "killed" / "answer.json").exists()
    again = dlexp_cli(tmp_path, *words, "hydra.run.dir=again")
    assert again.returncode == 0, again.stderr
    assert re.search(r"seed 0 goes on after epoch \d+ of 30", (tmp_path / "again" / "run.log").read_text())
    assert (tmp_path / "again" / "answer.json").read_bytes() == (tmp_path / "whole" / "answer.json").read_bytes()
    assert list(checkpoints.iterdir()) == []  # the net is kept now


def test_an_answer_is_never_written_over(smoke, dlexp_cli) -> None:
    before = (smoke.folder / "answer.json").read_bytes()
    done = dlexp_cli(smoke.folder.parent, *SMOKE, "hydra.run.dir=first", "seed=3")
    assert done.returncode == 2
    assert "already holds an answer; choose another folder or remove it" in done.stderr
    assert (smoke.folder / "answer.json").read_bytes() == before


def test_a_planted_dispensable_block_is_found_in_a_given_checkpoint(dlexp_cli, tmp_path: Path) -> None:
    # layer2.0's branch ends in a BatchNorm that gives 0: deleting it cannot change anything.
    torch.manual_seed(0)
    net = cifar_resnet((1, 8, 8), 10, depth=8)
    with torch.no_grad():
        net.get_parameter("layer2.0.bn2.weight").zero_()
    published = {f"module.{name}".replace(".fc.", ".linear."): value for name, value in net.state_dict().items()}
    torch.save({"state_dict": published}, tmp_path / "published.th")
    words = ("model.weights=published.th", "params.plain_control=false", "hydra.run.dir=given", "store.dir=null")
    done = dlexp_cli(tmp_path, *SMOKE, *words)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "given" / "tables" / "single_deletions.json").read_text())
    planted = next(row for row in rows if row["block"] == "layer2.0")
    assert (planted["residual drop"], planted["low"], planted["high"]) == (0.0, 0.0, 0.0)
    assert planted["verdict"] == "dispensable"
    assert "no plain control in this run" in (tmp_path / "given" / "answer.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dataset.val_fraction=0"], "error: dataset.val_fraction=0: greedy deletion chooses on validation images"),
        (["model=mlp"], "error: model: Sequential has no chain of residual blocks"),
        (
            ["trainer.checkpoint_every=2", "store.dir=null"],
            "error: trainer.checkpoint_every=2: checkpoints are kept in the store, and store.dir=null; set store.dir",
        ),
        (["params.margin=1.5"], "error: params.margin=1.5: input should be less than 1"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(dlexp_here, tmp_path: Path, words: list[str], message: str) -> None:
    code, said = dlexp_here([*SMOKE[1:], *words])
    assert code == 2
    assert said.startswith(message), said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "mlartifacts").exists()
