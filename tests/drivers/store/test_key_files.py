"""Key files: read as written, refused when damaged, and silent about what they hold."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from radiobridge.drivers.store.key_files import (
    AgencyPublic,
    GatewayPublic,
    create_agency_key,
    create_gateway_keys,
    fingerprint,
    read_agency_key,
    read_agency_public,
    read_any_public,
    read_gateway_keys,
    read_gateway_public,
    write_public,
)
from radiobridge.errors import KeyFileError
from radiobridge.model.ids import AgencyId, parse_gateway
from radiobridge.wire.canonical import decode_bytes, encode_bytes
from radiobridge.wire.seal import SealContext, seal, unseal

WINDSOR = parse_gateway("ca.opp/windsor")
OPP = AgencyId("ca.opp")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def test_a_gateways_keys_both_ways(folder: Path) -> None:
    made = create_gateway_keys(folder / "w.keys", WINDSOR)
    read = read_gateway_keys(folder / "w.keys")
    assert read.gateway == WINDSOR
    assert read.public == made.public
    made.signing.public_key().verify(read.signing.sign(b"x"), b"x")
    context = SealContext(topic="rb/1/ca.opp/windsor/head", version=1, sender=WINDSOR)
    sealed = seal({"a": 1}, {WINDSOR: made.public.hpke_key}, context)
    assert unseal(sealed, WINDSOR, read.hpke, context) == {"a": 1}


@pytest.mark.parametrize("agency", [None, OPP])
def test_an_agencys_key_both_ways(folder: Path, agency: AgencyId | None) -> None:
    made = create_agency_key(folder / "a.key", agency)
    read = read_agency_key(folder / "a.key")
    assert (read.public, read.agency) == (made.public, agency)


def test_public_parts_both_ways(folder: Path) -> None:
    keys = create_gateway_keys(folder / "w.keys", WINDSOR)
    agency = create_agency_key(folder / "a.key", OPP)
    write_public(folder / "w.pub", keys.public)
    write_public(folder / "a.pub", agency.public)
    assert read_gateway_public(folder / "w.pub") == keys.public
    assert read_agency_public(folder / "a.pub") == agency.public
    for name, public in [("w", keys.public), ("a", agency.public)]:
        assert read_any_public(folder / f"{name}.pub") == public
    assert read_any_public(folder / "w.keys") == keys.public
    assert read_any_public(folder / "a.key") == agency.public


def test_each_key_is_new(folder: Path) -> None:
    one, two = (create_gateway_keys(folder / name, WINDSOR).public for name in "ab")
    assert one.signing_key != two.signing_key
    assert one.hpke_key != two.hpke_key


def test_one_kind_is_not_taken_for_another(folder: Path) -> None:
    keys = create_gateway_keys(folder / "w.keys", WINDSOR)
    create_agency_key(folder / "a.key")
    write_public(folder / "w.pub", keys.public)
    for read, name in [
        (read_agency_key, "w.keys"),
        (read_gateway_keys, "a.key"),
        (read_gateway_public, "w.keys"),
        (read_agency_public, "w.pub"),
    ]:
        with pytest.raises(KeyFileError, match="kind"):
            read(folder / name)


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.pop("signing"),
        lambda c: c.pop("hpke"),
        lambda c: c.update(signing=c["signing"][:-2]),
        lambda c: c.update(hpke=c["hpke"] + "AA"),
        lambda c: c.update(signing=7),
        lambda c: c.update(gateway="windsor"),
        lambda c: c.update(more=1),
    ],
)
def test_a_damaged_file_tells_nothing_of_its_content(
    folder: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    path = folder / "w.keys"
    create_gateway_keys(path, WINDSOR)
    secret = json.loads(path.read_text())["signing"]
    edit(path, change)
    with pytest.raises(KeyFileError, match="damaged") as caught:
        read_gateway_keys(path)
    assert secret[:8] not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("member", ["signing_key", "hpke_key"])
def test_a_public_part_that_anybody_could_sign_for_or_nobody_seal_to(
    folder: Path, member: str
) -> None:
    path = folder / "w.pub"
    write_public(path, create_gateway_keys(folder / "w.keys", WINDSOR).public)

    def weaken(content: dict[str, Any]) -> None:
        raw = decode_bytes(content[member])
        content[member] = encode_bytes(raw[:-32] + bytes(32))

    edit(path, weaken)
    with pytest.raises(KeyFileError, match="bad-key"):
        read_gateway_public(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 60_000, b"{}"])
def test_what_is_no_key_file(folder: Path, content: bytes) -> None:
    path = folder / "x"
    path.write_bytes(content)
    path.chmod(0o600)
    for read in (read_gateway_keys, read_agency_key, read_gateway_public, read_any_public):
        with pytest.raises(KeyFileError):
            read(path)


def test_a_secret_that_others_can_read_has_no_public_part_either(folder: Path) -> None:
    create_agency_key(folder / "a.key")
    (folder / "a.key").chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_any_public(folder / "a.key")


def test_no_repr_shows_a_key(folder: Path) -> None:
    keys = create_gateway_keys(folder / "w.keys", WINDSOR)
    agency = create_agency_key(folder / "a.key", OPP)
    secrets = [keys.signing.private_bytes_raw(), agency.signing.private_bytes_raw()]
    for secret in secrets:
        for shown in (repr(keys), repr(agency)):
            assert repr(secret)[2:20] not in shown
            assert encode_bytes(secret) not in shown


def test_fingerprint_is_for_the_telephone() -> None:
    digits = fingerprint(bytes(32))
    assert digits == "25873 73230 32674 13508 34709 75188 84868 75651"
    assert fingerprint(bytes(31) + b"\1") != digits


def test_fingerprint_of_a_gateway_covers_both_keys() -> None:
    one = GatewayPublic(gateway=WINDSOR, signing_key=b"a" * 32, hpke_key=b"b" * 1216)
    two = GatewayPublic(gateway=WINDSOR, signing_key=b"a" * 32, hpke_key=b"c" * 1216)
    assert fingerprint(one.material) != fingerprint(two.material)
    assert AgencyPublic(key=b"a" * 32).material == b"a" * 32
