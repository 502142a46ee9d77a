"""The page itself: one HTML file that needs nothing else, and the same as Markdown."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from wxreg.runs.scoring.files import ScoresFile
from wxreg.runs.scoring.rows import ScoreRow
from wxreg.scores.catalogue import METRICS
from wxreg.specs.variables import Variable

Lexicon = Mapping[str, Variable]

_DRAWN: Final = frozenset({"wavelength (km)", "rank", "probability", "middle of the bin",
                           "cost/loss ratio"})  # fmt: skip
"""Scales whose rows are shown as curves only."""
FIGURES: Final = "figures"
_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto;
  padding: 0 1rem; color: #222; background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #e4e4e4 }
th { background: #f5f5f5; position: sticky; top: 0 }
td.word, th.word { text-align: left }
.better { color: #00674a } .worse { color: #b04300 }
figure { margin: 1.5rem 0 } figure img { max-width: 100%; height: auto }
figcaption { font-size: .85rem; color: #555 }
dl { display: grid; grid-template-columns: max-content auto; gap: .2rem 1.2rem }
dt { color: #666 } dd { margin: 0; overflow-wrap: anywhere }
"""


@dataclass(frozen=True)
class Shown:
    """One figure, ready for a page."""

    title: str
    caption: str
    png: bytes

    @property
    def file(self) -> str:
        """The name of its file beside the Markdown page."""
        return "-".join(re.findall("[a-z0-9]+", self.title.lower())) + ".png"


def embedded(title: str, caption: str, figure: Any) -> Shown:
    """A figure as the bytes of a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return Shown(title, caption, buffer.getvalue())


def html_page(scores: ScoresFile, lexicon: Lexicon, shown: Sequence[Shown]) -> str:
    """The whole page, pictures included."""
    document = scores.document
    title = f"{document['model']}: {document['protocol']}"
    facts = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in _facts(document))
    pictures = "".join(_picture(one) for one in shown)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1><dl>{facts}</dl>{pictures}"
        f"<h2>Scores</h2>{_html_table(scores, lexicon)}</body></html>\n"
    )


def markdown_page(scores: ScoresFile, lexicon: Lexicon, shown: Sequence[Shown]) -> str:
    """The facts, the figures (files in a folder beside it) and the table."""
    document = scores.document
    columns, rows = score_table(scores, lexicon)
    lines = [f"# {document['model']}: {document['protocol']}", ""]
    lines += [f"- {name}: {value}" for name, value in _facts(document)]
    for one in shown:
        lines += [
            "",
            f"## {one.title}",
            "",
            f"![{one.title}]({FIGURES}/{one.file})",
            "",
            one.caption,
        ]
    lines += ["", "## Scores", ""]
    lines += ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def score_table(scores: ScoresFile, lexicon: Lexicon) -> tuple[list[str], list[list[str]]]:
    """The scalar scores of all cells and of each mask, with the skill against each baseline."""
    names = sorted(scores.baselines())
    skills = {(*_place(row), row.baseline): row.skill for row in scores.rows if row.baseline}
    columns = ["metric", "variable", "lead", "threshold", "scale", "bin", "value", "bounds",
               "units", *(f"skill: {name}" for name in names)]  # fmt: skip
    rows = []
    for row in scores.rows:
        if row.baseline is not None or METRICS[row.metric].scale in _DRAWN:
            continue
        bounds = "" if row.low is None or row.high is None else f"{row.low:.4g} … {row.high:.4g}"
        rows.append(
            [row.metric, _variable(row), row.lead or "all", _number(row.threshold),
             _number(row.scale), row.bin, _number(row.value), bounds, _units(row, lexicon),
             *(_percent(skills.get((*_place(row), name))) for name in names)]
        )  # fmt: skip
    return columns, rows


def _html_table(scores: ScoresFile, lexicon: Lexicon) -> str:
    columns, rows = score_table(scores, lexicon)
    words = {"metric", "variable", "lead", "bin", "units"}
    kinds = ["word" if name in words else "" for name in columns]
    head = "".join(
        f'<th class="{kind}">{escape(name)}</th>' for name, kind in zip(columns, kinds, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(_cell(text, kind) for text, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str, kind: str) -> str:
    if text.endswith("%"):
        kind = "worse" if text.startswith("-") else "better"
    return f'<td class="{kind}">{escape(text)}</td>'


def _picture(one: Shown) -> str:
    data = base64.b64encode(one.png).decode()
    return (
        f"<h2>{escape(one.title)}</h2><figure>"
        f'<img alt="{escape(one.title)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(one.caption)}</figcaption></figure>"
    )


def _facts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    missing = document["missing"]
    facts = [
        ("run", document["run"]),
        ("protocol", f"{document['protocol']} {document['protocol_digest']}"),
        ("forecast", f"{document['forecast']['path']} {document['forecast']['digest']}"),
        ("truth", document["truth"]),
        ("members", str(document["members"])),
        ("leads", ", ".join(document["leads"])),
        ("scored", f"{document['pairs']} fields of {document['inits']} initial times"),
        ("without truth", ", ".join([f"{len(missing)} valid times", *missing[:3]])),
        ("verified more than once", f"{document['repeated_valid_times']} valid times"),
    ]  # fmt: skip
    return facts + [("note", note) for note in document["notes"]]


def _place(row: ScoreRow) -> tuple[Any, ...]:
    return (row.metric, row.variable, row.level, row.lead, row.threshold, row.scale, row.bin)


def _variable(row: ScoreRow) -> str:
    return f"{row.variable}@{row.level:g}" if row.level is not None else str(row.variable)


def _units(row: ScoreRow, lexicon: Lexicon) -> str:
    kind = METRICS[row.metric].units
    known = lexicon.get(str(row.variable))
    if known is None or "variable" not in kind:
        return "" if kind == "1" else kind
    return f"({known.units})²" if kind == "variable squared" else known.units


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:+.1%}"
