"""The command line as a user meets it: exact lines, exit codes, and what is not imported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

DLEXP = str(Path(sys.executable).with_name("dlexp"))
RUN = ("run", "exercise=resnet_layer_deletion")
SLUG = "resnet_layer_deletion"


def dlexp(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([DLEXP, *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_list_as_json(tmp_path: Path) -> None:
    rows = json.loads(dlexp(tmp_path, "list", "--json").stdout)
    assert all(list(row) == ["slug", "chapter", "number", "title", "starred"] for row in rows)
    (row,) = [row for row in rows if row["slug"] == SLUG]
    assert (row["chapter"], row["number"], row["starred"]) == ("residual", "7.5", True)


def test_list_as_a_table_by_chapter(tmp_path: Path) -> None:
    lines = dlexp(tmp_path, "list").stdout.splitlines()
    heading = lines.index("7. Residual networks")
    assert lines[heading + 1].split()[:2] == ["7.5*", SLUG]


def test_show_says_everything(tmp_path: Path) -> None:
    shown = dlexp(tmp_path, "show", SLUG).stdout
    for part in ("Enunciado", "Uma característica interessante", "An interesting property", "Veit", "scale=NAME"):
        assert part in shown
    assert f"  dlexp run exercise={SLUG}" in shown.splitlines()
    assert "margin=0.01 (float > 0, < 1) drop in accuracy that matters in practice:" in " ".join(shown.split())


@pytest.mark.parametrize("words", [["--help"], ["list"], ["list", "--json"], ["show", SLUG], ["run", "--help"]])
def test_looking_imports_nothing_heavy(tmp_path: Path, words: list[str]) -> None:
    script = f"""
import sys
sys.argv = ["dlexp", *{words!r}]
from dlexp.cli import main
try:
    main()
except SystemExit:
    pass
print([name for name in ("torch", "hydra", "omegaconf", "mlflow", "numpy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["show", "resnet_layer_deletio"],
            f"exercise=resnet_layer_deletio: there is no such exercise; did you mean '{SLUG}'?",
        ),
        (["run"], "no exercise named: say exercise=SLUG; `dlexp list` shows them"),
        (
            ["run", "exercise=resnet_layers"],
            f"exercise=resnet_layers: there is no such exercise; did you mean '{SLUG}'?",
        ),
        ([*RUN, "model.dept=8"], "model.dept: there is no such key here; did you mean 'model.depth'?"),
        ([*RUN, "modl=mlp"], "modl: there is no such key here; did you mean 'model'?"),
        ([*RUN, "params.margn=0.2"], "params.margn: there is no such key here; did you mean 'params.margin'?"),
        ([*RUN, "trainer.epoch=2"], "trainer.epoch: there is no such key here; did you mean 'trainer.epochs'?"),
        ([*RUN, "model=mpl"], "model=mpl: there is no such model; did you mean 'mlp'?"),
        ([*RUN, "scale=papr"], "scale=papr: there is no such scale; did you mean 'paper'?"),
        ([*RUN, "foo"], "'foo' is not an override; write KEY=VALUE"),
        (
            [*RUN, "model.depth=8,14"],
            "model.depth=8,14: several values; add -m to run each of them, or write a list as KEY=[A,B]",
        ),
        ([*RUN, "seeds=0"], "seeds=0: input should be greater than or equal to 1"),
        ([*RUN, "seed=one"], "seed='one': input should be a valid integer"),
        (
            [*RUN, "tracking.uri=nowhere"],
            "tracking.uri=nowhere: must start with sqlite:///, http://, https:// or a database's scheme",
        ),
        ([*RUN, "~model"], "model: this exercise needs one; its default is model=cifar_resnet"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path, words: list[str], line: str) -> None:
    done = dlexp(tmp_path, *words)
    assert done.stderr == f"error: {line}\n"
    assert done.returncode == 2
    assert not (tmp_path / "mlartifacts").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["model.depth=9"], "model.depth=9: must be 6n+2 (8, 14, 20, 32, 44, 56, 110, ...); nearest are 8 and 14"),
        (["model.depth=8.5"], "model.depth=8.5: input should be a valid integer"),
        (["optimizer.lr=-1"], "optimizer: SGD refuses its settings: Invalid learning rate: -1.0"),
        (["model.weights=nope.pt"], "model.weights=nope.pt: there is no such file"),
        (
            ["model._target_=os.system"],
            "model: _target_ 'os.system' is not allowed; it must be one of "
            "dlexp.data.*, dlexp.models.*, dlexp.training.*, torch.nn.*, torch.optim.*, "
            "or experiments.FILE.NAME for NAME in ./experiments/FILE.py",
        ),
        (
            ["+params.foo=1"],
            "params.foo: there is no such key; choose from: margin, permutations, plain_control, random_sets",
        ),
    ],
)
def test_bad_values_are_refused_once_torch_has_been_asked(tmp_path: Path, words: list[str], line: str) -> None:
    done = dlexp(tmp_path, *RUN, *words)
    assert done.stderr == f"error: {line}\n"
    assert done.returncode == 2
    assert not (tmp_path / "mlartifacts").exists()


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = dlexp(tmp_path, *RUN, "seeds=0", "--debug")
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert "InputError" in done.stderr


def test_cfg_shows_the_composed_job_with_its_scale(tmp_path: Path) -> None:
    import yaml

    done = dlexp(tmp_path, *RUN, "--cfg", "job", "scale=smoke", "trainer.epochs=7")
    shown = yaml.safe_load(done.stdout)
    assert (shown["scale"], shown["seeds"], shown["model"]["depth"]) == ("smoke", 2, 8)
    assert shown["trainer"]["epochs"] == 7
    assert not (tmp_path / "outputs").exists()


def test_python_dash_m_is_the_same_program(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dlexp.cli", "list", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == dlexp(tmp_path, "list", "--json").stdout
