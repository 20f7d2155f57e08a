"""What a command asks for, as JSON values of the API, read strictly.

Whatever does not fit, an unknown field too, raises CommandError naming the field.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Never, TypeVar

from radiobridge.errors import CommandError, RemoteProtocolError
from radiobridge.wire.fields import MAX_TEXT

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


class Asked:
    """The fields of one request. Take each, then call `done`."""

    def __init__(self, body: object, where: str = "") -> None:
        """Start with a decoded JSON object; None is an empty one."""
        if body is None:
            body = {}
        if not isinstance(body, Mapping) or not all(isinstance(name, str) for name in body):
            raise CommandError(f"{where or 'the request'}: not a JSON object",
                               f"{where or 'la demande'}: pas un objet JSON")  # fmt: skip
        self._where = where
        self._left: dict[str, Any] = {k: v for k, v in body.items() if v is not None}

    def has(self, name: str) -> bool:
        """Tell whether a field is there; null means that it is not."""
        return name in self._left

    def text(self, name: str, default: str | None = None) -> str:
        """Return a line of text for people."""
        value = self._take(name, default)
        if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
            self._wrong(name, f"1 to {MAX_TEXT} characters", f"de 1 à {MAX_TEXT} caractères")
        if not value.isprintable() or value != value.strip():
            self._wrong(name, "one line of printable text", "une ligne de texte imprimable")
        return value

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Return a whole number."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self._wrong(name, f"a whole number, {low} to {high}", f"un entier de {low} à {high}")
        return value

    def flag(self, name: str) -> bool:
        """Return true or false; false when the field is absent."""
        value = self._take(name, default=False)
        if not isinstance(value, bool):
            self._wrong(name, "true or false", "true ou false")
        return value

    def choice(self, name: str, kind: type[E], default: E | None = None) -> E:
        """Return one of the words of `kind`."""
        value = self._take(name, default)
        try:
            return kind(value)
        except ValueError:
            words = ", ".join(one.value for one in kind)
            self._wrong(name, f"one of {words}", f"un de {words}")

    def parsed(self, name: str, parse: Callable[[str], T], default: T | None = None) -> T:
        """Return what `parse` makes of a text; it raises RemoteProtocolError or ValueError."""
        if default is not None and not self.has(name):
            return default
        value = self._take(name)
        try:
            return parse(value)
        except (RemoteProtocolError, ValueError, TypeError, AttributeError):
            self._wrong(name, "written as it should be", "écrit comme il faut")

    def items(self, name: str, most: int) -> list["Asked"]:
        """Return a list of objects."""
        value = self._take(name, [])
        if not isinstance(value, list) or len(value) > most:
            self._wrong(name, f"a list of at most {most}", f"une liste de {most} au plus")
        return [Asked(item, f"{self._where}{name}[{n}]") for n, item in enumerate(value)]

    def done(self) -> None:
        """Refuse what nobody asked about."""
        for name in self._left:
            self._wrong(name[:40], "left out: nobody knows it", "laissé de côté : inconnu")

    def _take(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - a JSON value
        value = self._left.pop(name, None)
        if value is None:
            value = default
        if value is None:
            self._wrong(name, "given", "indiqué")
        return value

    def _wrong(self, name: str, en: str, fr: str) -> Never:
        field = f"{self._where}.{name}" if self._where else name
        raise CommandError(f"{field}: must be {en}", f"{field}: doit être {fr}")
