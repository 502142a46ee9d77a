"""One error tree: codes name their exit status, and every code in use is listed and documented."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from wxreg import errors

SOURCE = Path(errors.__file__).parent


def test_every_code_that_the_source_raises_is_listed() -> None:
    used = {
        code
        for path in SOURCE.rglob("*.py")
        if path.name != "errors.py"
        for code in re.findall(r'"(REG-\d{3})"', path.read_text(encoding="utf-8"))
    }
    assert used - {"REG-100"} <= set(errors.CODES)
    assert len(used) > 20


def test_every_code_is_documented(repository: Path) -> None:
    documented = (repository / "docs" / "errors.md").read_text(encoding="utf-8")
    for code, meaning in errors.CODES.items():
        assert f"| {code} | {meaning} |" in documented, "run `python docs/render_errors.py`"


@pytest.mark.parametrize("kind", [c for c in vars(errors).values() if isinstance(c, type)])
def test_errors_survive_the_way_between_processes(kind: type) -> None:
    if kind is errors.RegError or not issubclass(kind, errors.RegError):
        return
    code = next(c for c in errors.CODES if c[4] == str(kind.exit_code))
    error = kind(code, "what", where="here", hint="mend")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.code, str(again)) == (kind, code, str(error))


def test_a_code_of_another_group_is_a_fault_of_ours() -> None:
    with pytest.raises(AssertionError):
        errors.NotFound("REG-200", "wrong group")
