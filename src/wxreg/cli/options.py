"""The options that several commands take, each described once."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wxreg.cli.completing import complete_cases, complete_data, complete_models, complete_scales

ModelName = Annotated[
    str, typer.Argument(help="A model of the registry.", autocompletion=complete_models)
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data", help="A dataset version, such as hrrr@mini-1.", autocompletion=complete_data
    ),
]
LeadTime = Annotated[
    str | None, typer.Option("--lead-time", help="Lead times: 1h, 1h,3h or 3h..12h/3h.")
]
Scale = Annotated[
    str, typer.Option("--scale", help="mini or full.", autocompletion=complete_scales)
]
Members = Annotated[int | None, typer.Option("--members", help="How many members.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The seed of every random draw.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="KEY=VALUE: one setting of the entry; may be repeated."),
]
Cases = Annotated[
    str | None,
    typer.Option(
        "--cases", help="A case selection of registry/cases.", autocompletion=complete_cases
    ),
]


def session_of(ctx: typer.Context) -> Any:
    """The session that the root command made."""
    return ctx.obj
