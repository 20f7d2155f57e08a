"""What all configuration models share: strictness, ids, texts and paths."""

from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationInfo,
    WithJsonSchema,
)

from radiobridge.config.units import wrong
from radiobridge.errors import InvalidIdError
from radiobridge.model.ids import GatewayId, TalkgroupId, check_id, parse_gateway, parse_talkgroup
from radiobridge.text import Language, Text

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$"


class Settings(BaseModel):
    """A mapping in a file: unknown keys are errors, nothing is converted, values do not change."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        validate_default=True,
        use_attribute_docstrings=True,
    )


def _id(text: str) -> str:
    try:
        return check_id(text)
    except InvalidIdError as error:
        raise wrong(
            f"'{text[:40]}' is not an id; use 1 to 32 of A-Z a-z 0-9 . _ -, starting with a letter "
            "or digit",
            f"'{text[:40]}' n'est pas un identifiant; employez 1 à 32 de A-Z a-z 0-9 . _ -, en "
            "commençant par une lettre ou un chiffre",
        ) from error


def _pair(text: str, example: str) -> None:
    try:
        parse_gateway(text)
    except InvalidIdError as error:
        raise wrong(
            f"'{text[:70]}' is not two ids with a slash; write for example `{example}`",
            f"'{text[:70]}' n'est pas deux identifiants séparés par une barre oblique; écrivez "
            f"par exemple `{example}`",
        ) from error


def _talkgroup(value: object) -> TalkgroupId:
    if not isinstance(value, str):
        raise wrong("write for example `ca.opp/TAC1`", "écrivez par exemple `ca.opp/TAC1`")
    _pair(value, "ca.opp/TAC1")
    return parse_talkgroup(value)


def _radio_path(value: str) -> str:
    _pair(value, "windsor/tac1")
    return value


Id: TypeAlias = Annotated[str, AfterValidator(_id), Field(pattern=None, examples=["windsor"])]
"""An id of DESIGN §4: safe in a topic, a path and a log."""

TalkgroupName: TypeAlias = Annotated[
    TalkgroupId,
    BeforeValidator(_talkgroup),
    WithJsonSchema({"type": "string", "pattern": "^[^/]+/[^/]+$", "examples": ["ca.opp/TAC1"]}),
]
"""`agency/talkgroup`."""

RadioPath: TypeAlias = Annotated[str, AfterValidator(_radio_path), Field(examples=["windsor/tac1"])]
"""`gateway/radio` of the agency that owns the map."""


def _path(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path) or not str(value).strip():
        raise wrong("write the name of a file", "écrivez le nom d'un fichier")
    base = (info.context or {}).get("base", Path())
    return Path(base) / Path(value).expanduser()


FilePath: TypeAlias = Annotated[
    Path, BeforeValidator(_path), WithJsonSchema({"type": "string", "format": "path"})
]
"""A path; a relative one starts at the folder of the file that names it."""

Choice = Strict(strict=False)
"""Marks an enum field: its values are written as words."""

LanguageName: TypeAlias = Annotated[Language, Choice]


class Words(Settings):
    """A label in both languages. `{en: …, fr: …}`."""

    en: Annotated[str, Field(min_length=1, max_length=80, examples=["Tactical 1"])]
    """The English label."""
    fr: Annotated[str, Field(min_length=1, max_length=80, examples=["Tactique 1"])]
    """The French label."""

    @property
    def text(self) -> Text:
        """Return both as one value."""
        return Text(self.en, self.fr)


def gateway_id(agency: str, name: str) -> GatewayId:
    """Return the id of a gateway of `agency`."""
    return parse_gateway(f"{agency}/{name}")


JsonMapping: TypeAlias = dict[str, Any]
