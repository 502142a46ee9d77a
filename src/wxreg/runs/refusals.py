"""What a plan may declare but no code carries out is refused before anything is computed."""

from __future__ import annotations

from wxreg.errors import Incompatible
from wxreg.specs.plan import SamplePlan, TrainPlan


def refuse_training(plan: TrainPlan) -> None:
    """Raise for a training that could only be carried out otherwise than declared."""
    training = plan.training
    own = bool(dict(plan.architecture.settings).get("recompute"))
    for asked, setting, hint in (
        (bool(training.curriculum), "training.curriculum", "train the leads together"),
        (bool(training.augment), "training.augment", "leave it out"),
        (training.initial is not None, "training.initial", "start from the seed's weights"),
        (
            training.recompute and not own,
            "training.recompute",
            f"{plan.architecture.name} does not offer it; raise training.accumulate instead",
        ),
    ):
        if asked:
            raise _not_carried_out("REG-460", setting, hint)


def refuse_sampling(plan: SamplePlan) -> None:
    """Raise for a sampling that could only be carried out otherwise than declared."""
    sampling = plan.sampling
    for asked, setting, hint in (
        (sampling.compile, "sampling.compile", "leave it false"),
        (
            sampling.strategy == "perturbed-inputs",
            "sampling.strategy perturbed-inputs",
            "choose generative, dropout or variational, as the architecture offers",
        ),
        (
            sampling.missing != "refuse",
            f"sampling.missing {sampling.missing}",
            "keep refuse, and ask for times whose inputs are there",
        ),
        (bool(plan.post), "post", "apply the steps to the forecast afterwards"),
    ):
        if asked:
            raise _not_carried_out("REG-461", setting, hint)


def _not_carried_out(code: str, setting: str, hint: str) -> Incompatible:
    return Incompatible(code, f"{setting} is not carried out by this version", hint=hint)
