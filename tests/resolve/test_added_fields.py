"""Adding a field with a default changes no old digest."""

from __future__ import annotations

import json

from wxreg.specs.plan import Starts
from wxreg.specs.training import Training


class TrainingOfTomorrow(Training):
    """A spec with one more field."""

    invention: float = 0.5


class StartsOfTomorrow(Starts):
    """Another."""

    invention: str | None = None


def test_a_new_defaulted_field_leaves_the_body_as_it_was() -> None:
    text = json.dumps({"steps": 10, "batch": 4, "loss": [{"name": "mae", "weight": 2.0}]})
    today = Training.model_validate_json(text)
    assert TrainingOfTomorrow.model_validate_json(text).body() == today.body()
    assert StartsOfTomorrow().body() == Starts().body() == {}
    used = TrainingOfTomorrow.model_validate_json(json.dumps({"steps": 1, "invention": 1.0}))
    assert used.body()["invention"] == 1.0
