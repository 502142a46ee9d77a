"""wxreg: a declarative registry of weather datasets and models."""

from __future__ import annotations

__version__ = "0.1.0"
