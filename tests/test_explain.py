"""Whatever is wrong with the words after `dlexp run` is one line, exit code 2, and no run in MLflow."""

from collections.abc import Callable
from pathlib import Path

import pytest

SLUG = "resnet_layer_deletion"
ALLOWED = {"outputs", "mlflow.db", "mlflow.db.lock", "mlflow.db-journal"}  # the journal: while the store is opened
CONF = Path(__file__).parent.parent / "conf"


def choices(group: str) -> str:
    """The hint that lists a group's options, or the first dozen of them."""
    names = sorted(path.stem for path in (CONF / group).glob("[!_]*.yaml"))
    more = f", ... ({len(names)} in all)" if len(names) > 12 else ""
    return f"choose from: {', '.join(names[:12])}{more}"


GROUPED = "write KEY=VALUE, or KEY='\"VALUE\"' if it holds symbols"


def not_allowed(where: str, target: str) -> str:
    allowed = "dlexp.data.*, dlexp.models.*, dlexp.training.*, torch.nn.*, torch.optim.*"
    own = "experiments.FILE.NAME for NAME in ./experiments/FILE.py"
    return f"{where}: _target_ '{target}' is not allowed; it must be one of {allowed}, or {own}"


COMPOSITION = [
    # words that are no overrides
    ("", "'' is not an override; write KEY=VALUE"),
    ("model.depth", "'model.depth' is not an override; write KEY=VALUE"),
    ("=3", "=3: not a valid override; write KEY=VALUE"),
    ("params.x=[1,2", f"params.x=[1,2: not a valid override (no viable alternative at input '[1,2'); {GROUPED}"),
    ("model.name=é", f"model.name=é: not a valid override; {GROUPED}"),
    ("model.depth=${", f"model.depth=${{: not a valid override; {GROUPED}"),
    # flags
    ("--nope", "--nope: there is no such option; did you mean '--info'?"),
    ("--mutlirun", "--mutlirun: there is no such option; did you mean '--multirun'?"),
    ("--cfg", "argument --cfg/-c: expected one argument"),
    ("--cfg=jobs", "argument --cfg/-c: invalid choice: 'jobs' (choose from 'job', 'hydra', 'all')"),
    # exercises
    (
        "exercise=resnet_layer_deletio",
        f"exercise=resnet_layer_deletio: there is no such exercise; did you mean '{SLUG}'?",
    ),
    ("exercise=", f"exercise=: there is no such exercise; {choices('exercise')}"),
    ("exercise=null", f"exercise=null: there is no such exercise; {choices('exercise')}"),
    ("~exercise", "~exercise: exercise cannot be left out"),
    # groups
    ("model=null", "model=null: to leave the group out say ~model"),
    ("model=3", f"model=3: there is no such model; {choices('model')}"),
    ("model=foo/bar", f"model=foo/bar: there is no such model; {choices('model')}"),
    ("model=../config", f"model=../config: there is no such model; {choices('model')}"),
    ("+augmentation=flip_crop", "+augmentation: augmentation is chosen already; leave out the + to choose another"),
    ("scale=null", "scale=null: there is no such scale; choose from: default, paper, smoke"),
    ("tracking=serv", "tracking=serv: there is no such tracking; did you mean 'server'?"),
    ("hydra/launcher=basci", "hydra/launcher=basci: there is no such hydra/launcher; did you mean 'basic'?"),
    # keys
    ("optimzer=sgd", "optimzer: there is no such key here; did you mean 'optimizer'?"),
    ("dataset.trian_size=3", "dataset.trian_size: there is no such key here; did you mean 'dataset.train_size'?"),
    ("seed.x=1", "seed.x: there is no such key here; did you mean 'seed'?"),
    ("hydra.job.nam=1", "hydra.job.nam: there is no such key here; did you mean 'hydra.job.name'?"),
    ("+modell=mlp", "modell: there is no such key; did you mean 'model'?"),
    ("++sed=3", "sed: there is no such key; did you mean 'seed'?"),
    ("~seed", "~seed: seed cannot be left out"),
    ("~params.margin", "~params.margin: params.margin cannot be left out"),
    ("~tracking.uri", "~tracking.uri: tracking.uri cannot be left out"),
    ("~optimzer", "optimzer: there is no such key here; did you mean 'optimizer'?"),
    # several values
    ("seed=0,1", "seed=0,1: several values; add -m to run each of them, or write a list as KEY=[A,B]"),
    ("seed=range(3)", "seed=range(3): several values; add -m to run each of them, or write a list as KEY=[A,B]"),
    (
        "scale=smoke,paper",
        "scale=smoke,paper: several values; add -m to run each of them, or write a list as KEY=[A,B]",
    ),
    # folders
    ("hydra.run.dir=/dev/null/x", "hydra.run.dir=/dev/null/x: cannot be made (Not a directory)"),
]

VALUES = [
    # interpolations
    ("seed=${nope}", "seed: Interpolation key 'nope' not found"),
    (
        "seed=${oc.env:NOPE}",
        "seed: KeyError raised while resolving interpolation: \"Environment variable 'NOPE' not found\"",
    ),
    ("seed=${nope:1}", "seed: Unsupported interpolation type nope"),
    # settings
    ("seed=???", "seed='???': input should be a valid integer"),
    ("seed=", "seed='': input should be a valid integer"),
    ("seed=null", "seed=null: input should be a valid integer"),
    ("seed=true", "seed=true: input should be a valid integer"),
    ("seed=1.5", "seed=1.5: input should be a valid integer"),
    ("seed=1000000", "seed=1000000: input should be less than or equal to 999999"),
    ("seeds=1001", "seeds=1001: input should be less than or equal to 1000"),
    ("threads=0", "threads=0: input should be greater than or equal to 1"),
    ("device=tpu", "device=tpu: there is no such device; did you mean 'cpu'?"),
    ("tracking.uri=5", "tracking.uri=5: input should be a valid string"),
    (
        "tracking.uri=mlruns",
        "tracking.uri=mlruns: must start with sqlite:///, http://, https:// or a database's scheme",
    ),
    # parameters
    ("params=3", "params=3: must hold keys, as params.KEY=VALUE"),
    ("params.margin=nan", "params.margin=nan: input should be less than 1"),
    ("params.margin=0.1 0.2", "params.margin='0.1 0.2': input should be a valid number"),
    ("params.plain_control=1", "params.plain_control=1: input should be a valid boolean"),
    (
        "+params.foo=1",
        "params.foo: there is no such key; choose from: margin, permutations, plain_control, random_sets",
    ),
    # groups whose keys a signature checks
    ("model.depth=[8]", "model.depth=[8]: input should be a valid integer"),
    ('model.depth="8"', "model.depth='8': input should be a valid integer"),
    ("~model.depth", "model.depth: it has no value; say model.depth=..."),
    ("+model.foo=1", "model.foo: there is no such key; choose from: depth, shortcut, width"),
    (
        "+optimizer.foo=1",
        "optimizer.foo: there is no such key; choose from: dampening, differentiable, foreach, fused, lr, "
        "maximize, momentum, nesterov, weight_decay",
    ),
    ("optimizer.lr=fast", "optimizer.lr='fast': input should be a valid number, unable to parse string as a number"),
    ("trainer.epochs=-1", "trainer.epochs=-1: input should be greater than or equal to 0"),
    (
        "dataset=npz",
        "dataset.root is not set; add dataset.root=PATH, an .npz file with x_train, y_train, x_test, y_test",
    ),
    # targets
    ("optimizer._target_=torch.optim.SDG", "optimizer: _target_ 'torch.optim.SDG' does not exist; did you mean 'SGD'?"),
    ("dataset._target_=os.system", not_allowed("dataset", "os.system")),
    ("model._target_=dlexp.answer.write_atomically", not_allowed("model", "dlexp.answer.write_atomically")),
    ("scheduler._target_=builtins.exec", not_allowed("scheduler", "builtins.exec")),
    ("loss._target_=subprocess.call", not_allowed("loss", "subprocess.call")),
    ("augmentation=flip_crop augmentation._target_=os.system", not_allowed("augmentation", "os.system")),
    ("model=mlp activation._target_=os.system", not_allowed("model.activation", "os.system")),
    ("model=mlp +model.extra._target_=os.system", not_allowed("model.extra", "os.system")),
]


@pytest.mark.parametrize(("word", "line"), [*COMPOSITION, *VALUES])
def test_bad_input(dlexp_here: Callable[[list[str]], tuple[int, str]], word: str, line: str, tmp_path: Path) -> None:
    words = word.split() if " augmentation." in word or word.startswith("model=mlp ") else [word]
    code, said = dlexp_here([f"exercise={SLUG}", *words])
    assert said == f"error: {line}\n"
    assert code == 2
    assert {path.name for path in tmp_path.iterdir()} <= ALLOWED


@pytest.mark.parametrize("word", ["modl=mlp", "seeds=0", "seed=${nope}"])
def test_debug_adds_the_traceback(dlexp_here: Callable[[list[str]], tuple[int, str]], word: str) -> None:
    code, said = dlexp_here([f"exercise={SLUG}", word, "--debug"])
    assert said.startswith("Traceback (most recent call last):")
    assert said.splitlines()[-1].startswith("error: ")
    assert code == 2


def test_a_sweep_refuses_a_bad_job_before_the_first_runs(
    dlexp_here: Callable[[list[str]], tuple[int, str]], tmp_path: Path
) -> None:
    code, said = dlexp_here([f"exercise={SLUG}", "seed=0,x", "-m"])
    assert (code, said) == (2, "error: seed='x': input should be a valid integer\n")
    assert not list(tmp_path.rglob("answer.json"))
