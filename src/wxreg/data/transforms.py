"""The transforms that values take before they are normalised, on arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wxreg.errors import Incompatible
from wxreg.specs.variables import Variable

Values = NDArray[np.float32]


def transformed(values: Values, variable: Variable) -> Values:
    """``values`` after the transform that the lexicon declares; missing stays missing."""
    low, high = variable.range
    if variable.transform == "identity":
        return values
    if variable.transform == "log1p":
        return np.log1p(np.maximum(values, 0))
    if variable.transform == "sqrt":
        return np.sqrt(np.maximum(values, 0))
    if low is None or high is None:
        raise Incompatible(
            "REG-430", f"{variable.id}: the transform {variable.transform} needs a whole range"
        )
    if variable.transform == "clip":
        return np.clip(values, low, high)
    share = np.clip((values - low) / (high - low), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(share / (1 - share)), np.float32)
