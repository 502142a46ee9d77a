"""``reg``: finds the command, loads only its module, and reports every error the same way."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from wxreg.cli.session import Session
from wxreg.cli.table import BY_NAME, COMMANDS
from wxreg.errors import RegError, UsageError

_FLAGS = frozenset({"--json", "--quiet", "-q"})


class LazyGroup(TyperGroup):
    """The commands of the table, each imported when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names in the order of the table."""
        return [row.name for row in COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load one command; a wrong name is told the near ones."""
        from importlib import import_module

        row = BY_NAME.get(cmd_name)
        if row is None:
            from wxreg.ids import near_names

            near = near_names(cmd_name, BY_NAME)
            hint = f"did you mean {' or '.join(near)}?" if near else "`reg --help` lists them"
            raise UsageError("REG-290", f"there is no command {cmd_name!r}", hint=hint)
        module = import_module(row.path)
        app = getattr(module, "app", None)
        if app is None:
            app = typer.Typer(rich_markup_mode=None, add_completion=False)
            app.command(row.name)(module.command)
        command = typer.main.get_command(app)
        command.name = row.name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The chapters of the table, without loading a single command."""
        for chapter in dict.fromkeys(row.chapter for row in COMMANDS):
            with formatter.section(chapter):
                formatter.write_dl(
                    [(row.name, row.summary) for row in COMMANDS if row.chapter == chapter]
                )


app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from wxreg import __version__

        typer.echo(f"wxreg {__version__}")
        raise typer.Exit


@app.callback(epilog="Example: reg resolve aurora-hrrr-v1 --data hrrr@mini-1 --lead-time 1h")
def root(
    ctx: typer.Context,
    workspace: Annotated[
        Path | None, typer.Option(help="The workspace; else the one around this folder.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print results only.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Weather datasets and models: resolve, train, sample, evaluate, and prove what made what.

    --workspace, --json and --quiet may stand anywhere on the line.
    """
    ctx.obj = Session(named=workspace, json=json, quiet=quiet)


def hoisted(words: Sequence[str]) -> list[str]:
    """The words with the options that every command shares moved to the front."""
    front: list[str] = []
    rest: list[str] = []
    remaining = list(words)
    while remaining:
        word = remaining.pop(0)
        if word == "--":
            rest += ["--", *remaining]
            break
        if word in _FLAGS or word.startswith("--workspace="):
            front.append(word)
        elif word == "--workspace" and remaining:
            front += [word, remaining.pop(0)]
        else:
            rest.append(word)
    return front + rest


def run(words: Sequence[str] | None = None) -> None:
    """The console script: run one command and exit with its status.

    Plugins of pydantic only watch; looking for them reads the metadata of every distribution.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    arguments = hoisted(sys.argv[1:] if words is None else words)
    sys.exit(_status(arguments, as_json="--json" in arguments))


def _status(arguments: list[str], *, as_json: bool) -> int:
    from wxreg.cli.failure import report

    try:
        code = app(args=arguments, prog_name="reg", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except typer.TyperException as error:
        from wxreg.cli.failure import from_typer

        return report(from_typer(error), as_json=as_json)
    except RegError as error:
        return report(error, as_json=as_json)
    except KeyboardInterrupt:
        return report(None, as_json=as_json, status=130)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except (MemoryError, OSError, ImportError, RuntimeError) as error:
        from wxreg.cli.failure import no_room

        told = no_room(error)
        if told is None:
            raise
        return report(told, as_json=as_json)
