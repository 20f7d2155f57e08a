"""Who this gateway is among the agencies that it trusts: keys and roster as configured."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from radiobridge.config.gateway import GatewayConfig
from radiobridge.config.load import LoadedGateway
from radiobridge.drivers.clock import SystemClock
from radiobridge.errors import ConfigError, RemoteProtocolError
from radiobridge.model.ids import AgencyId
from radiobridge.wire.documents import read_undated, roster_subject
from radiobridge.wire.roster import read_roster


def trusted_agencies(loaded: LoadedGateway) -> dict[AgencyId, Ed25519PublicKey]:
    """Return the trusted agencies' keys; the own one must be among them."""
    own = loaded.config.id.agency
    if own not in loaded.partners:
        raise ConfigError(
            f"{loaded.config.partners}: the own agency {own} is missing; its key proves the "
            f"roster: run `radiobridge keys trust {loaded.config.partners} {own} KEY`",
            f"{loaded.config.partners} : l'organisme {own} manque ; sa clé prouve la liste : "
            f"lancez `radiobridge keys trust {loaded.config.partners} {own} CLÉ`",
        )
    return {
        agency: Ed25519PublicKey.from_public_bytes(partner.public_key)
        for agency, partner in loaded.partners.items()
    }


def check_roster(
    config: GatewayConfig, roster: bytes, agencies: dict[AgencyId, Ed25519PublicKey]
) -> None:
    """Raise ConfigError unless the own agency has signed this roster and it names us.

    A machine that has no time yet takes a roster from the future: the clock is wrong, and nothing
    foreign is joined before it is right.
    """
    own, now_ms = config.id, SystemClock().wall_ms()
    try:
        key = agencies[own.agency]
        issued_ms = read_undated(roster, roster_subject(own.agency), key).header.issued_ms
        now_ms = max(now_ms, issued_ms)
        known = read_roster(roster, own.agency, key, now_ms)
    except RemoteProtocolError as error:
        raise ConfigError(
            f"{config.roster}: not a valid roster of {own.agency}: {error.reason}",
            f"{config.roster} : pas une liste valide de {own.agency} : {error.reason}",
        ) from error
    if known.entry(own, now_ms) is None:
        raise ConfigError(
            f"{config.roster}: does not name {own}; run `radiobridge keys enrol`",
            f"{config.roster} : ne nomme pas {own} ; lancez `radiobridge keys enrol`",
        )
