"""From stored values to canonical ones: sentinels first, then units."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.specs.units import conversion
from wxreg.specs.variables import Variable, VariableEntry


def to_canonical(
    values: NDArray[Any], entry: VariableEntry, variable: Variable
) -> NDArray[np.float32]:
    """``values`` in the units of the lexicon, with sentinels as ``entry`` declares them.

    A sentinel is matched to float32 precision, as the packing of the source leaves it.
    """
    scale, offset = conversion(entry.units, variable.units)
    result = np.asarray(values, dtype=np.float32)
    if (scale, offset) != (1.0, 0.0):
        result = (np.asarray(values, dtype=np.float64) * scale + offset).astype(np.float32)
    for sentinel in entry.sentinels:
        found = np.isclose(values, sentinel.value, rtol=1e-6, atol=1e-6)
        if found.any():
            becomes = np.nan if sentinel.becomes is None else sentinel.becomes
            result = np.where(found, np.float32(becomes), result)
    return result
