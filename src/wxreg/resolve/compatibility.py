"""The rules of what fits together: one function each, all evaluated, all reported.

A rule yields a sentence for every way in which it is broken; silence is consent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wxreg.ids import NATIVE
from wxreg.leadtime import ZERO, print_leads
from wxreg.resolve.match import Hold, Match

if TYPE_CHECKING:
    from wxreg.specs.timeaxis import Period

Rule = Callable[[Match], Iterator[str]]


@dataclass(frozen=True)
class Refusal:
    """One broken rule."""

    rule: str
    reason: str


def variables_held(match: Match) -> Iterator[str]:
    """Every variable is in the dataset, or can be derived from what is."""
    for hold in match.holds:
        for name in (*hold.side.variables, *hold.statics):
            if name not in match.lexicon:
                yield f"{name} is not in the lexicon"
            elif not _available(match, hold, name):
                yield f"{hold.ref} has no {name}, one of the {hold.role} of {match.model.id}"


def _available(match: Match, hold: Hold, name: str) -> bool:
    held = hold.version.variables if hold.version else tuple(hold.entries)
    if name in held:
        return True
    known = match.lexicon.get(name)
    if known is None or known.derived is None:
        return False
    return all(_available(match, hold, part) for part in known.derived.inputs)


def levels_held(match: Match) -> Iterator[str]:
    """Every level is in the version."""
    for hold in match.holds:
        if hold.version is None or not hold.side.levels:
            continue
        missing = [f"{lv:g}" for lv in hold.side.levels if lv not in hold.version.levels]
        if missing:
            have = ", ".join(f"{level:g}" for level in hold.version.levels) or "none"
            yield f"{hold.ref} has no level {', '.join(missing)} (it has {have})"


def view_given(match: Match) -> Iterator[str]:
    """The version says on which grid the view lies."""
    for hold in match.holds:
        view = hold.side.view
        if view != NATIVE and hold.view is None:
            yield f"{hold.ref.dataset} describes no view {view!r}"
        elif hold.version is not None and hold.grid is None:
            yield f"{hold.ref} gives no grid for the view {view!r}"


def grids_align(match: Match) -> Iterator[str]:
    """Coarse and fine grids cover the same area with a whole number of cells a cell."""
    coarse, fine = match.inputs.grid, match.targets.grid
    if coarse is None or fine is None or match.draft:
        return
    if coarse.crs != fine.crs:
        yield f"the inputs lie on {coarse.crs!r}, the targets on {fine.crs!r}"
        return
    rows, row_rest = divmod(fine.shape[0], coarse.shape[0])
    columns, column_rest = divmod(fine.shape[1], coarse.shape[1])
    if row_rest or column_rest or rows != columns:
        yield f"a grid of {coarse.shape} cells does not divide one of {fine.shape}"


def lead_is_whole_steps(match: Match) -> Iterator[str]:
    """A lead time is a whole number of the model's steps."""
    lead = match.model.lead
    if lead.mode == "none":
        bad = [asked for asked in match.leads if asked != ZERO]
        if bad:
            yield f"{match.model.task} has no lead time, so {print_leads(tuple(bad))} means nothing"
        return
    if lead.step == ZERO:
        yield "a forecast model needs a step"
        return
    for asked in match.leads:
        if asked == ZERO or not lead.step.divides(asked):
            yield f"lead {asked} is not a whole number of {lead.step} steps"


def step_is_whole_cadences(match: Match) -> Iterator[str]:
    """A model step is a whole number of the dataset's time steps."""
    step = match.model.lead.step
    for hold in match.holds:
        if step != ZERO and not hold.cadence.divides(step):
            yield f"a step of {step} is not a whole number of {hold.ref}'s {hold.cadence}"


def history_is_whole_cadences(match: Match) -> Iterator[str]:
    """Every history step falls on a time that the dataset has."""
    cadence = match.inputs.cadence
    for past in match.model.inputs.history:
        if past != ZERO and not cadence.divides(past):
            yield f"history {past} is not a whole number of {match.inputs.ref}'s {cadence}"


def accumulations_formed(match: Match) -> Iterator[str]:
    """A sum or extreme over a span can be formed from the dataset's own buckets."""
    for hold in match.holds:
        source = (hold.version.time if hold.version else hold.description.time).cadence
        for name in hold.side.variables:
            known = match.lexicon.get(name)
            if known is None or known.window is None or known.kind in ("instant", "static"):
                continue
            if known.derived is not None and not source.divides(known.window):
                yield f"{name} covers {known.window}: {hold.ref}'s {source} buckets do not fill it"


def lead_is_allowed(match: Match) -> Iterator[str]:
    """The lead lies within what the model may be asked for."""
    lead = match.model.lead
    if lead.mode == "none":
        return
    for asked in match.leads:
        if asked > lead.allowed[-1] or asked < lead.allowed[0]:
            yield f"lead {asked} lies outside the allowed {print_leads(lead.allowed)}"
    if lead.mode == "joint" and not set(match.leads) <= set(lead.trained):
        yield f"a joint model gives only its trained leads, {print_leads(lead.trained)}"


def rollout_is_closed(match: Match) -> Iterator[str]:
    """A model that feeds on its own output predicts everything it reads."""
    model = match.model
    if model.lead.mode != "rollout":
        return
    missing = [name for name in model.inputs.variables if name not in model.targets.variables]
    if missing and any(asked > model.lead.step for asked in match.leads):
        yield f"a roll-out needs {', '.join(missing)} as targets too"


def calendars_agree(match: Match) -> Iterator[str]:
    """Two datasets are paired only in one calendar."""
    one, two = match.inputs.calendar, match.targets.calendar
    same_days = {"standard", "proleptic_gregorian"}
    if match.request.task == "train" and one != two and not {one, two} <= same_days:
        yield f"{match.inputs.ref} counts days as {one}, {match.targets.ref} as {two}"


def days_belong_together(match: Match) -> Iterator[str]:
    """Pairs are learned from only where both sides tell of the same weather."""
    one, two = match.holds
    if match.request.task != "train" or one.ref.dataset == two.ref.dataset:
        return
    for hold, other in ((one, two), (two, one)):
        if hold.description.free_running:
            yield (
                f"{hold.ref} is a free-running climate: none of its days is a day of {other.ref}, "
                "so there is no pair to learn from; protocol downscaling-climate compares climates"
            )


def splits_are_apart(match: Match) -> Iterator[str]:
    """Training, validation and test keep their buffer, on both sides together."""
    for hold in match.holds:
        if hold.version is None:
            continue
        for one, a, two, b in hold.version.splits.too_near(hold.calendar):
            yield f"{hold.ref}: {one} ({a}) and {two} ({b}) keep less than the buffer"


def statistics_fit(match: Match) -> Iterator[str]:
    """Statistics are of this very version, of its training times only, and complete."""
    if match.model.training.kind == "none":
        return
    for hold in match.holds:
        if hold.version is None:
            continue
        command = f"reg stats compute {hold.ref} --view {hold.side.view}"
        if hold.statistics is None:
            yield f"{hold.ref} has no statistics {hold.statistics_name!r}: `{command}` makes them"
            continue
        yield from _statistics_faults(match, hold, command)


def _statistics_faults(match: Match, hold: Hold, command: str) -> Iterator[str]:
    statistics, version = hold.statistics, hold.version
    if statistics is None or version is None:
        return
    if statistics.source_digest != version.content:
        yield f"the statistics are of other bytes than {hold.ref}: `{command}` makes new ones"
    for period in statistics.window:
        yield from _leaks(hold, period)
    missing = [name for name in match.channels(hold.side) if name not in statistics.channels]
    if missing:
        bare = dict.fromkeys(name.partition("@")[0] for name in missing)
        derived = [name for name in bare if name not in version.variables]
        more = "".join(f" --variable {name}" for name in derived)
        lacking = f"the statistics {hold.statistics_name!r} lack {', '.join(missing)}"
        yield f"{lacking}: `{command}{more}`"
    step = str(match.model.lead.step)
    needs = match.model.architecture.settings.get("target") == "tendency"
    for name in match.channels(hold.side) if needs and hold.role == "targets" else ():
        known = statistics.channels.get(name)
        if known is not None and step not in known.tendencies:
            yield f"the statistics of {name} have no tendency over {step}: `{command}`"


def _leaks(hold: Hold, period: Period) -> Iterator[str]:
    splits = hold.version.splits if hold.version else None
    for name in ("validation", "test"):
        for held_out in splits.periods(name) if splits else ():
            if period.overlaps(held_out):
                yield f"the statistics of {hold.ref} saw the {name} times {held_out}"


def members_make_sense(match: Match) -> Iterator[str]:
    """Only a system that varies can give several members."""
    model, asked = match.model, match.request.members
    if asked is None:
        return
    if asked < 1:
        yield f"{asked} members cannot be made"
    if asked > 1 and model.sampling.strategy == "deterministic":
        yield f"{model.id} is deterministic: it gives one member, not {asked}"


def training_exists(match: Match) -> Iterator[str]:
    """Only what has something to learn is trained."""
    if match.request.task == "train" and match.model.training.kind == "none":
        yield f"{match.model.id} needs no training: `reg sample {match.model.id}` runs it"


RULES: Final[tuple[tuple[str, Rule], ...]] = tuple(
    (rule.__name__.replace("_", "-"), rule)
    for rule in (
        variables_held,
        levels_held,
        view_given,
        grids_align,
        lead_is_whole_steps,
        step_is_whole_cadences,
        history_is_whole_cadences,
        accumulations_formed,
        lead_is_allowed,
        rollout_is_closed,
        calendars_agree,
        days_belong_together,
        splits_are_apart,
        statistics_fit,
        members_make_sense,
        training_exists,
    )
)


def refusals(match: Match) -> tuple[Refusal, ...]:
    """Every way in which a match breaks a rule."""
    found = (Refusal(name, reason) for name, rule in RULES for reason in rule(match))
    return tuple(dict.fromkeys(found))
