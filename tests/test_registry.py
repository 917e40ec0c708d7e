"""Finding exercises in dlexp, in plugins and in the working directory."""

import subprocess
import sys
from pathlib import Path

import pytest

from dlexp import registry
from dlexp.registry import Exercise

DLEXP = str(Path(sys.executable).with_name("dlexp"))
PROJECT = Path(__file__).parent.parent
YAML = """
# @package _global_
exercise:
  title: {title}
  chapter: ideas
  number: "{number}"
  statement: {{pt: "Faça.", en: "Do."}}
  references: []
"""


def write(folder: Path, slug: str, number: str = "9.1", text: str = YAML) -> None:
    (folder / "conf" / "exercise").mkdir(parents=True, exist_ok=True)
    (folder / "conf" / "exercise" / f"{slug}.yaml").write_text(text.format(title=f"Title of {slug}", number=number))


def dlexp(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([DLEXP, *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_every_exercise_has_its_two_files_and_its_chapter() -> None:
    yamls = {path.stem for path in (PROJECT / "conf" / "exercise").glob("*.yaml")}
    modules = {path.stem for path in (PROJECT / "experiments").rglob("*.py")} - {"__init__"}
    assert yamls == modules
    for exercise in registry.exercises().values():
        assert exercise.source.is_file()
        assert registry.chapter_title(exercise).startswith(exercise.number.partition(".")[0] + ". ")
        assert set(exercise.scales) <= {"smoke", "default", "paper"}
        assert set(exercise.statement) == {"pt", "en"}
        assert set(registry.parameter_comments(exercise)) == set(exercise.parameters)
        assert all(comment for _, comment in registry.parameter_comments(exercise).values())


def test_numbers_sort_as_numbers() -> None:
    orders = [
        Exercise("s", "c", number, "t", False, {}, (), {}, {}, {}, registry.roots()[0]).order
        for number in ("7.10", "7.5")
    ]
    assert orders[0] > orders[1]


def test_the_working_directory_adds_exercises_in_order(tmp_path: Path) -> None:
    write(tmp_path, "late", "9.10")
    write(tmp_path, "early", "9.2")
    (tmp_path / "experiments" / "ideas").mkdir(parents=True)
    (tmp_path / "experiments" / "ideas" / "early.py").write_text("class Params:\n    size: int  # any number\n")
    lines = dlexp(tmp_path, "list").stdout.splitlines()
    slugs = [line.split()[1] for line in lines if line.startswith("  ")]
    assert slugs[-2:] == ["early", "late"]
    assert "ideas" in lines  # no docstring names the chapter
    shown = dlexp(tmp_path, "show", "early").stdout
    assert "Title of early" in shown
    assert "any number" in shown
    missing = dlexp(tmp_path, "show", "late")
    assert missing.returncode == 2
    assert "its experiment is missing; expected " in missing.stderr


def test_a_name_clash_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "resnet_layer_deletion")
    done = dlexp(tmp_path, "list")
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"error: {tmp_path / 'conf' / 'exercise' / 'resnet_layer_deletion.yaml'} has the same"
    )
    assert done.stderr.rstrip().endswith("; rename yours")


def test_the_project_itself_is_not_found_twice() -> None:
    assert dlexp(PROJECT, "list").stdout.count("resnet_layer_deletion") == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("exercise: [", "not valid YAML"),
        ("title: x", "there is no `exercise:` section"),
        ("exercise: {{title: x, chapter: c}}", "lacks number, statement, references"),
    ],
)
def test_a_broken_yaml_is_named(tmp_path: Path, text: str, line: str) -> None:
    write(tmp_path, "broken", text=text)
    done = dlexp(tmp_path, "list")
    assert done.returncode == 2
    assert "broken.yaml: " in done.stderr
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (None, "its experiment is missing; expected "),
        ("x = 1", "has no `Params`"),
        ("def run(:", "SyntaxError"),
    ],
)
def test_a_broken_experiment_is_named(tmp_path: Path, source: str | None, line: str) -> None:
    write(tmp_path, "broken")
    if source is not None:
        (tmp_path / "experiments" / "ideas").mkdir(parents=True)
        (tmp_path / "experiments" / "ideas" / "broken.py").write_text(source)
    done = dlexp(tmp_path, "run", "exercise=broken")
    assert done.returncode == 2
    assert line in done.stderr
    assert "broken.py" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_plugin_brings_exercises(tmp_path: Path) -> None:
    package, info = tmp_path / "site" / "my_course", tmp_path / "site" / "my_course-1.0.dist-info"
    write(package, "plugged")
    for folder in (package, package / "conf", package / "experiments"):
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").touch()
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-course\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dlexp.plugins]\nmy_course = my_course\n")
    script = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); sys.argv = ['dlexp', 'list']\n"
    script += "from dlexp.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "plugged" in done.stdout, done.stderr


def test_choices_are_read_where_they_are_defined() -> None:
    def words(slug: str, name: str) -> str:
        return registry.parameter_comments(registry.find(slug))[name][0]

    assert "Literal['nearest_neighbour', 'logistic_regression', 'svm']" in words("coreset_selection", "classifiers")
    assert words("class_statistics", "other_metrics") == "list[Literal['mahalanobis', 'cosine']]"
