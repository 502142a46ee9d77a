"""Running Aurora on the meta device: shapes flow, and checks that look at values are left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from wxreg.models.aurora_timm import load_aurora


@contextmanager
def shapes_only() -> Iterator[None]:
    """Inside, Aurora's own value checks are off, so that tensors without values pass."""
    load_aurora()
    from aurora.batch import Metadata
    from aurora.model import decoder, fourier, posencoding

    expansions = [
        value for value in vars(fourier).values() if isinstance(value, fourier.FourierExpansion)
    ]
    with ExitStack() as stack:
        stack.enter_context(patch.object(Metadata, "__post_init__", _no_check))
        stack.enter_context(patch.object(posencoding, "patch_root_area", _no_area))
        stack.enter_context(patch.object(decoder, "float", _no_hours, create=True))
        for expansion in expansions:
            stack.enter_context(patch.object(expansion, "assert_range", False))
        yield


def _no_check(_metadata: Any) -> None:
    return None


def _no_hours(_lead_time: Tensor) -> float:
    return 0.0


def _no_area(lat_min: Tensor, *_others: Tensor) -> Tensor:
    return lat_min.abs()


@contextmanager
def numbers_on_cpu() -> Iterator[None]:
    """Inside, ``torch.linspace`` has values even on the meta device: Aurora reads them to build."""
    with patch.object(torch, "linspace", partial(torch.linspace, device="cpu")):
        yield
