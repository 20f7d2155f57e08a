"""No key material in what a gateway writes: its log, its state, what the broker logs and keeps.

The secrets are those of the key files, the brokers' passwords, and the voice keys themselves, which
the test opens as their recipients would. They are looked for as bytes, in hex, and in base64 of
both alphabets; each also by a piece of its middle, whatever stands around it.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from radiobridge.drivers.store.key_files import read_gateway_keys
from radiobridge.model.ids import TalkgroupId
from radiobridge.wire.canonical import decode_bytes
from radiobridge.wire.documents import read_document
from radiobridge.wire.seal import SealContext, unseal
from radiobridge.wire.topics import key_topic
from radiobridge.wire.words import KeyGrant
from radiobridge_sim.agencies import CBP, OPP, Side
from tests.app.observer import Observer
from tests.app.river import River

pytestmark = pytest.mark.real


def spellings(secret: bytes) -> Iterator[bytes]:
    """Yield how a secret might be written; base64 at each of its three alignments."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for skip in range(3):
        whole = secret[skip : skip + (len(secret) - skip) // 3 * 3]
        yield base64.b64encode(whole)
        yield base64.urlsafe_b64encode(whole)


def found(secret: bytes, where: bytes) -> bool:
    """Tell whether a secret, or 18 bytes of its middle, is somewhere in any spelling."""
    middle = secret[len(secret) // 2 - 9 : len(secret) // 2 + 9]
    return any(spelling in where for part in (secret, middle) for spelling in spellings(part))


def stored_keys(river: River, side: Side) -> dict[str, bytes]:
    """Return the secrets in an agency's key files."""
    home = river.home(side)
    gateway = json.loads((home / f"{side.gateway.name}.keys").read_text())
    agency = json.loads((home / "agency.key").read_text())
    return {
        f"{side.agency} signing key": decode_bytes(agency["signing"]),
        f"{side.gateway} signing key": decode_bytes(gateway["signing"]),
        f"{side.gateway} HPKE key": decode_bytes(gateway["hpke"]),
        f"{side.gateway} password": river.passwords[str(side.gateway)].encode(),
    }


def voice_key(river: River, observer: Observer, sender: Side, recipient: Side) -> bytes:
    """Return the newest voice key that one side gave the other."""
    talkgroup = TalkgroupId(sender.agency, sender.talkgroup)
    topic = key_topic(sender.gateway, sender.talkgroup, recipient.agency)
    keys = [
        read_gateway_keys(river.home(side) / f"{side.gateway.name}.keys")
        for side in (sender, recipient)
    ]
    observer.wait(lambda: bool(observer.of(topic)), "a voice key")
    signer = Ed25519PublicKey.from_public_bytes(keys[0].public.signing_key)
    status = river.gateway(sender).status()
    assert status is not None
    document = read_document(observer.of(topic)[-1], topic, signer, status["clock"]["bridge_ms"])
    context = SealContext(topic=topic, version=document.header.version, sender=sender.gateway)
    body = unseal(document.body, recipient.gateway, keys[1].hpke, context)
    return KeyGrant.from_body(body, talkgroup).key


def written(river: River) -> dict[Path, bytes]:
    """Return what gateways and brokers have written, without the key files themselves."""
    folders = [river.home(side) / "state" for side in (OPP, CBP)]
    folders += [broker.folder for broker in river.brokers]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in (*files, *river.logs)}


def test_the_search_finds_what_is_there(river: River) -> None:
    key_file = (river.home(OPP) / f"{OPP.gateway.name}.keys").read_bytes()
    signing = stored_keys(river, OPP)[f"{OPP.gateway} signing key"]
    assert found(signing, key_file)
    assert found(signing, b"key=" + signing.hex().encode() + b" ...")
    assert found(signing, repr(signing[:-1]).encode()) is False
    assert found(signing, base64.b64encode(b"x" + signing + b"y"))


def test_no_key_is_in_any_log_or_state(river: River) -> None:
    with Observer(river.brokers[0].port) as observer:
        river.chirp(CBP)
        river.chirp(OPP)
        secrets = stored_keys(river, OPP) | stored_keys(river, CBP)
        for sender, recipient in ((OPP, CBP), (CBP, OPP)):
            secrets[f"voice key of {sender.gateway}"] = voice_key(
                river, observer, sender, recipient
            )
    files = written(river)
    assert len(files) >= 8, sorted(files)
    assert all(files[log] for log in river.logs)
    leaks = [
        (name, path)
        for name, secret in secrets.items()
        for path, text in files.items()
        if found(secret, text)
    ]
    assert not leaks
