"""The package list, and the wheel installed where nothing of the checkout is seen."""

import json
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
TOP_LEVEL = {"src": "", "conf": "dlexp.conf", "experiments": "dlexp.experiments"}


def pyproject() -> dict[str, object]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text())


def test_the_package_list_is_what_is_on_disk() -> None:
    found = {"dlexp.conf"}  # its folders of YAML are data, not packages
    for path in [*(PROJECT / "src").rglob("__init__.py"), *(PROJECT / "experiments").rglob("__init__.py")]:
        folder = path.parent.relative_to(PROJECT)
        top, *rest = folder.parts
        found.add(".".join(part for part in (TOP_LEVEL[top], *rest) if part))
    listed = pyproject()["tool"]["setuptools"]["packages"]  # type: ignore[index]
    assert sorted(found) == sorted(listed)
    without_init = {path.parent for path in (PROJECT / "src" / "dlexp").rglob("*.py")} - {
        path.parent for path in (PROJECT / "src" / "dlexp").rglob("__init__.py")
    }
    assert not without_init


def test_the_tested_set_fits_the_ranges() -> None:
    from packaging.requirements import Requirement

    lines = (PROJECT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.lower().split("==") for line in lines if line and not line.startswith("#"))
    project = pyproject()["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]  # type: ignore[index]
    for text in wanted:
        requirement = Requirement(text)
        names = {requirement.name.lower(), requirement.name.lower().replace("-", "_")}
        (version,) = [pinned[name] for name in names if name in pinned]
        assert version in requirement.specifier, text


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    keep = ["conf", "experiments", "src", "pyproject.toml", "README.md", "LICENSE"]
    for name in keep:
        origin = PROJECT / name
        if origin.is_dir():
            shutil.copytree(origin, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(origin, source / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("dlexp-*.whl")
    return built


def test_the_wheel_holds_every_yaml_and_nothing_stray(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    conf = PROJECT / "conf"
    yamls = {f"dlexp/conf/{path.relative_to(conf).as_posix()}" for path in conf.rglob("*.yaml")}
    assert {name for name in names if name.endswith(".yaml")} == yamls
    assert {name.split("/")[0] for name in names} == {
        "dlexp",
        "hydra_plugins",
        wheel.name.rsplit("-py3", 1)[0] + ".dist-info",
    }
    assert not [name for name in names if "test" in name or "bench" in name]
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_works_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)}))
    # Installed first, into an environment that is still empty: pip must not find, and remove, the dlexp of this one.
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(environment)]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--quiet", str(wheel)], check=True, capture_output=True)
    # Then the dependencies of this environment, but not its editable dlexp: .pth files in there are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python, work = environment / "bin" / "python", tmp_path / "work"
    work.mkdir()

    def dlexp(*words: str) -> str:
        command = [str(python), "-m", "dlexp.cli", *words]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = subprocess.run(
        [python, "-c", "import dlexp; print(dlexp.__file__)"], capture_output=True, text=True, check=True
    )
    assert Path(where.stdout.strip()).is_relative_to(environment)
    assert "resnet_layer_deletion" in [row["slug"] for row in json.loads(dlexp("list", "--json"))]
    assert "depth: 8" in dlexp("run", "exercise=resnet_layer_deletion", "scale=smoke", "--cfg", "job")
    dlexp("run", "exercise=resnet_layer_deletion", "scale=smoke", "hydra.run.dir=out", "threads=1")
    assert json.loads((work / "out" / "answer.json").read_text())["scale"] == "smoke"
