"""The base of every spec: frozen, closed, parsed once, with an identity.

Specs are validated in pydantic's strict JSON mode: YAML is parsed to plain values, printed as
JSON and validated from there, so that ``"1"`` is never quietly taken for ``1``.
"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, NoReturn, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, PlainSerializer

from wxreg.canonical import digest


class FrozenDict(dict[str, Any]):
    """A dictionary that refuses every change, so that a frozen spec is frozen all the way."""

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise TypeError("this mapping belongs to a frozen spec")

    __setitem__ = __delitem__ = _refuse
    clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted((key, repr(value)) for key, value in self.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return (FrozenDict, (dict(self),))


def freeze(value: Any) -> Any:
    """``value`` with every mapping a :class:`FrozenDict` and every list a tuple."""
    if isinstance(value, dict):
        return FrozenDict({key: freeze(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(freeze(item) for item in value)
    return value


def thaw(value: Any) -> Any:
    """The plain JSON form of a frozen value."""
    if isinstance(value, dict):
        return {key: thaw(item) for key, item in value.items()}
    return [thaw(item) for item in value] if isinstance(value, list | tuple) else value


Settings = Annotated[dict[str, JsonValue], AfterValidator(freeze), PlainSerializer(thaw)]
"""Free-form settings whose meaning belongs to the thing they build; frozen after parsing."""


class Spec(BaseModel):
    """A frozen value with no unknown fields."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        defer_build=True,
        allow_inf_nan=False,
        revalidate_instances="never",
    )

    def body(self) -> dict[str, Any]:
        """The JSON form that identity is computed from: fields equal to their default left out."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        raise TypeError(f"a {type(self).__name__} is not iterable")


class Entry(Spec):
    """A spec that is a whole file: it has an id, a title and the format it was written for."""

    KIND: ClassVar[str]
    FORMAT: ClassVar[int] = 1

    spec: int = 1
    """The version of this kind's format that the file was written for."""

    def digest(self) -> str:
        """The identity of this entry's meaning."""
        return digest(self.KIND, self.body(), format=self.FORMAT)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse the JSON form of a file; raises pydantic's ``ValidationError``."""
        return cls.model_validate_json(text)
