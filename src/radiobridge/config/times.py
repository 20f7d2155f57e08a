"""Points in time as an operator writes them: RFC 3339, UTC, `2026-07-01T12:00:00Z`."""

import re
from datetime import datetime
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, WithJsonSchema

from radiobridge.config.units import wrong

_RFC3339_UTC = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?(Z|\+00:00)", re.ASCII
)


def parse_moment(value: object) -> int:
    """Return ms since 1970 of an RFC 3339 time in UTC; raise PydanticCustomError."""
    if isinstance(value, str) and _RFC3339_UTC.fullmatch(value):
        try:
            return round(datetime.fromisoformat(value).timestamp() * 1000)
        except ValueError:
            pass
    raise wrong(
        f"{value!r} is not a time in UTC; write for example `2026-07-01T12:00:00Z`",
        f"{value!r} n'est pas une heure UTC; écrivez par exemple `2026-07-01T12:00:00Z`",
    )


Moment: TypeAlias = Annotated[
    int,
    BeforeValidator(parse_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": "Z$|\\+00:00$"}),
]
"""ms since 1970."""
