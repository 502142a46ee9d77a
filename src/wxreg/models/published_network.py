"""The networks of other libraries that a checkpoint fits as they are, without this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wxreg.models.aurora_names import STATIC, lay_out
from wxreg.models.aurora_network import network_arguments
from wxreg.models.aurora_statistics import aurora_statistics
from wxreg.models.aurora_timm import load_aurora
from wxreg.models.building import blueprint_from_json
from wxreg.models.settings import AuroraSettings, parse_settings


def library_network(described: Mapping[str, Any]) -> dict[str, Any] | None:
    """Class and arguments of the library's network for a described forecaster; None if it is ours.

    ``levels`` are the numbers that Aurora keeps globally for variables on levels, and ``adapter``
    what `wxreg` does around the network when it forecasts.
    """
    if described.get("architecture") != "aurora":
        return None
    load_aurora()
    blueprint = blueprint_from_json(described)
    settings = parse_settings(AuroraSettings, blueprint.settings, blueprint.architecture)
    layout = lay_out(blueprint.inputs)
    numbers = aurora_statistics(layout, blueprint.statics, blueprint.statistics)
    statics = tuple(STATIC.get(c.variable, c.variable) for c in blueprint.statics)
    arguments = network_arguments(settings, layout, statics, numbers.surface, blueprint.history)
    return {
        "class": "aurora.Aurora",
        "prefix": "network.",
        "arguments": arguments,
        "levels": {name: list(pair) for name, pair in numbers.levels.items()},
        "adapter": {"residual": settings.residual, "warped": settings.warped},
    }
