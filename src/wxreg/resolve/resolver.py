"""The resolver: any (model, dataset, lead time) becomes one plan, a draft, or a refusal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wxreg.errors import Incompatible
from wxreg.ids import DataRef
from wxreg.leadtime import print_leads
from wxreg.library.loading import Layer, Library
from wxreg.resolve.compatibility import Refusal, refusals
from wxreg.resolve.match import Match, gather
from wxreg.resolve.request import Request, override_values

if TYPE_CHECKING:
    from wxreg.specs.model import Model
    from wxreg.specs.plan import Plan, SamplePlan, TrainPlan
    from wxreg.specs.protocol import Cases

_NEAREST = 3
_SEARCHED = 40


@dataclass(frozen=True)
class Draft:
    """An intent that cannot be pinned yet, with the commands that would make it a plan."""

    match: Match
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Resolved:
    """A plan and what it was made from."""

    plan: Plan
    match: Match


def resolve(library: Library, request: Request) -> Resolved | Draft:
    """The plan of a request; ``Incompatible`` names every broken rule and the nearest fits."""
    if request.cases:
        library.path("case", request.cases)  # a wrong name is told before anything is read
    match = matched(library, request)
    broken = refusals(match)
    if match.draft and not [refusal for refusal in broken if refusal.rule != "statistics-fit"]:
        return Draft(match, _draft_commands(match))
    if broken:
        raise refusal_error(library, match, broken)
    return Resolved(_plan(library, match), match)


def matched(library: Library, request: Request) -> Match:
    """The request with everything it touches looked up, but no rule asked yet."""
    return gather(library, request, expanded(library, request))


def expanded(library: Library, request: Request) -> Model:
    """The model of a request at its scale, with the overrides laid on."""
    if not request.overrides:
        return library.model(request.model, request.scale)
    complete = json.loads(library.model(request.model, request.scale).model_dump_json())
    values = override_values(request.overrides, complete)
    return library.model(request.model, request.scale, Layer(Path("--set"), (), values))


def refusal_error(library: Library, match: Match, broken: tuple[Refusal, ...]) -> Incompatible:
    """One error that holds every reason and the nearest tuples that would do."""
    reasons = "\n".join(f"  {refusal.rule}: {refusal.reason}" for refusal in broken)
    asked = f"{match.model.id} on {match.inputs.ref} at {print_leads(match.leads)}"
    near = nearest(library, match)
    hint = "nearest: " + "; ".join(near) if near else "`reg matrix` shows what fits together"
    return Incompatible("REG-400", f"{asked} does not fit together:\n{reasons}", hint=hint)


def nearest(library: Library, match: Match) -> tuple[str, ...]:
    """Up to three (model, dataset, lead) tuples that resolve, the most alike first."""
    found: list[str] = []
    for request in _alternatives(library, match):
        other = matched(library, request)
        if not other.draft and not refusals(other):
            lead = print_leads(other.leads)
            found.append(f"({other.model.id}, {other.inputs.ref}, {lead})")
        if len(found) == _NEAREST:
            break
    return tuple(dict.fromkeys(found))


def _alternatives(library: Library, match: Match) -> Iterator[Request]:
    """Other leads of this model, then its own data, then other models of the same dataset."""
    request, lead = match.request, match.model.lead
    plain = replace(request, overrides=(), members=None)
    by_distance = sorted(
        lead.allowed, key=lambda have: min(abs(have.seconds - a.seconds) for a in match.leads)
    )
    for have in by_distance[:_NEAREST]:
        yield replace(plain, leads=(have,))
    for have in by_distance[:1]:
        yield replace(plain, data=None, leads=(have,))
    for name in library.ids("model")[:_SEARCHED]:
        if name != request.model and request.scale in library.scales(name):
            yield replace(plain, model=name, data=match.inputs.ref)


def _plan(library: Library, match: Match) -> Plan:
    from wxreg.resolve.planning import sample_plan, train_plan  # a refusal needs no plan classes

    request = match.request
    if request.task == "train":
        return train_plan(match, teacher_plan(library, match))
    cases = _cases(library, request.cases) if request.cases else None
    trained = training_match(library, match)
    trained_by = train_plan(trained, teacher_plan(library, trained)) if trained else None
    sampled = sample_plan(match, trained_by, cases)
    if request.task == "sample":
        return sampled
    return _evaluation(library, match, sampled)


def _cases(library: Library, name: str) -> Cases:
    from wxreg.specs.protocol import Cases

    return library.entry("case", name, Cases)


def teacher_plan(library: Library, match: Match) -> TrainPlan | None:
    """The training of the entry that a student learns from, at its scale and seed."""
    from wxreg.specs.plan import TrainPlan

    name = match.model.training.teacher
    if name is None:
        return None
    request = Request(model=name, scale=match.request.scale, seed=match.request.seed)
    found = resolve(library, request)
    if isinstance(found, Draft) or not isinstance(found.plan, TrainPlan):
        raise Incompatible("REG-400", f"the teacher {name} has no version to pin")
    return found.plan


def _evaluation(library: Library, match: Match, sampled: SamplePlan) -> Plan:
    from wxreg.resolve.planning import evaluate_plan
    from wxreg.specs.protocol import Protocol

    name = match.request.protocol or match.model.evaluation.protocol
    protocol = library.entry("protocol", name, Protocol)
    return evaluate_plan(match, protocol, forecast=None, sampled=sampled)


def training_match(library: Library, match: Match) -> Match | None:
    """What the model of a sample request was trained on: its declared data, every lead."""
    model = match.model
    if model.training.kind == "none" or match.request.checkpoint:
        return None
    request = replace(match.request, task="train", leads=(), data=None, members=None)
    declared = model.versions.get(match.inputs.ref.dataset)
    if declared is None and match.inputs.ref.dataset == model.inputs.dataset:
        request = replace(request, data=match.inputs.ref)
    trained = gather(library, request, model)
    broken = refusals(trained)
    if broken:
        raise refusal_error(library, trained, broken)
    return trained


def _draft_commands(match: Match) -> tuple[str, ...]:
    commands = []
    for hold in match.holds:
        if hold.version is None:
            name = hold.ref.dataset
            commands.append(f"reg data prepare {name} --version NAME --source SOURCE")
            commands.append(f"reg stats compute {name}@NAME --view {hold.side.view}")
    return tuple(dict.fromkeys(commands))


def request_for(model: str, data: str | None = None, **more: Any) -> Request:
    """A request from words, for callers that hold text."""
    return Request(model=model, data=DataRef.parse(data) if data else None, **more)
