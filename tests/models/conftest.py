from __future__ import annotations

import numpy as np
import pytest
import synthetic_weather as weather


@pytest.fixture(scope="session")
def fields() -> np.ndarray:
    return weather.world(16, size=(24, 28))
