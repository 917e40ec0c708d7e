"""The command line. Each command imports what it needs when it runs: `--help` and `list` stay instant."""

import os
import sys
import traceback
from typing import Annotated

import typer

from dlexp.errors import DlexpError, one_line

UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # typer does not export it

app = typer.Typer(
    name="dlexp",
    help="The lab bench of a deep-learning course: run an exercise, get a written answer with measured verdicts.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def everywhere(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; goes anywhere.")] = False,
) -> None:
    pass  # `main` looks for the flag itself, so that it may stand after the command too


@app.command("list")
def list_exercises(
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array for programs.")] = False,
) -> None:
    """The exercises, by chapter."""
    from dlexp import catalogue

    print(catalogue.as_json() if as_json else catalogue.as_table())


@app.command()
def show(slug: Annotated[str, typer.Argument(help="An exercise, as in `dlexp list`.")]) -> None:
    """An exercise's statement, parameters, scales, references and command."""
    from dlexp import catalogue

    print(catalogue.describe(slug))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(context: typer.Context) -> None:
    """Run an exercise: dlexp run exercise=SLUG [KEY=VALUE ...] [-m].

    KEY=VALUE changes any setting (`dlexp show SLUG` lists them); -m runs every combination of
    comma-separated values. `--cfg job` prints the configuration instead of running it.
    """
    from dlexp.launch import launch

    try:
        launch(context.args)
    except KeyboardInterrupt as interrupt:  # Ctrl-C, or SIGTERM as `job.Terminated`; typer would say nothing
        print("interrupted", file=sys.stderr)
        raise typer.Exit(getattr(interrupt, "exit_code", 130)) from None


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.", min=0, max=65535)] = 0,
    uri: Annotated[
        str, typer.Option(help="The store to show; the working directory's by default.")
    ] = "sqlite:///mlflow.db",
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser.")] = True,
) -> None:
    """Look at the recorded runs in MLflow's web page (on 127.0.0.1 only)."""
    from dlexp.ui import serve

    serve(uri, port, open_browser)


@app.command()
def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Close runs whose process is gone.")] = False,
    uri: Annotated[str, typer.Option(help="The store to check.")] = "sqlite:///mlflow.db",
) -> None:
    """Check the installation, the device and the store: one line each."""
    from dlexp.doctor import examine

    if not examine(uri, repair):
        raise typer.Exit(1)


@app.command()
def store(
    clear: Annotated[bool, typer.Option("--clear", help="Remove every kept net.")] = False,
    folder: Annotated[str, typer.Option("--dir", help="The store's folder.")] = ".dlexp/store",
) -> None:
    """Show the trained nets that are kept for reuse, or clear them."""
    from dlexp.catalogue import store_table

    print(store_table(folder, clear))


def main() -> None:
    """Entry point: errors are one line and an exit code (2 input, 1 failure, 130 interrupted, 143 terminated)."""
    words = [word for word in sys.argv[1:] if word != "--debug"]
    debug = len(words) < len(sys.argv) - 1
    try:
        code = app(words or ["--help"], prog_name="dlexp", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # `dlexp list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except typer.Abort:  # what typer makes of Ctrl-C
        print("interrupted", file=sys.stderr)
        code = 130
    except Exception as error:
        if debug:
            traceback.print_exc()
        code = _report(error, debug)
    sys.exit(code)


def _report(error: Exception, debug: bool) -> int:
    """Say in one line what went wrong; returns the exit code."""
    if isinstance(error, UsageError):
        print(f"error: {' '.join(error.format_message().split())}", file=sys.stderr)  # type: ignore[attr-defined]
        return 2
    if isinstance(error, DlexpError):
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"error: {one_line(error)}" + ("" if debug else " (--debug shows the traceback)"), file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
