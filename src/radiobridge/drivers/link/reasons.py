"""Why a connection to a broker failed, in words for the person who has to repair it.

CONNACK and DISCONNECT reason codes: MQTT 5.0, sections 3.2.2.2 and 3.14.2.1.
"""

import socket
import ssl

from radiobridge.errors import RadioBridgeError, os_reason
from radiobridge.text import Text

_REFUSED = {
    0x84: ("it does not speak MQTT 5", "il ne parle pas MQTT 5"),
    0x85: ("it does not accept the client id", "il n'accepte pas l'identifiant du client"),
    0x86: (
        "user name or password is wrong",
        "le nom d'utilisateur ou le mot de passe est erroné",
    ),
    0x87: (
        "user name or password is wrong, or this user may not connect",
        "le nom d'utilisateur ou le mot de passe est erroné, ou cet utilisateur n'a pas accès",
    ),
    0x88: ("it is not available", "il n'est pas disponible"),
    0x89: ("it is busy", "il est surchargé"),
    0x8A: ("this client is banned", "ce client est banni"),
    0x8B: ("it is shutting down", "il s'arrête"),
    0x8E: (
        "another connection uses the same client id",
        "une autre connexion utilise le même identifiant de client",
    ),
}

_KEEPALIVE = 0x8D


def refused(address: str, code: int) -> Text:
    """Say that the broker refused or ended the connection with an MQTT 5 reason code."""
    if code == _KEEPALIVE:  # said by the broker, or made up by paho when the broker is silent
        return silent(address)
    en, fr = _REFUSED.get(code, (f"reason code 0x{code:02x}", f"code de raison 0x{code:02x}"))
    return Text(f"broker {address} refused: {en}", f"le courtier {address} a refusé : {fr}")


def closed(address: str) -> Text:
    """Say that the connection broke."""
    return Text(
        f"the connection to broker {address} broke",
        f"la connexion au courtier {address} a été coupée",
    )


def silent(address: str) -> Text:
    """Say that the broker does not answer."""
    return Text(
        f"broker {address} does not answer; is it running, and does a firewall let us through?",
        f"le courtier {address} ne répond pas ; fonctionne-t-il, un pare-feu bloque-t-il ?",
    )


def closing(address: str) -> Text:
    """Say that we closed the connection."""
    return Text(f"left broker {address}", f"le courtier {address} a été quitté")


def flooded(address: str) -> Text:
    """Say that more documents wait than we take."""
    return Text(
        f"broker {address} holds too many documents for us at once",
        f"le courtier {address} a trop de documents pour nous à la fois",
    )


def reason_of(error: BaseException, address: str) -> Text:
    """Return what to tell the operator about a failed attempt to connect."""
    if isinstance(error, RadioBridgeError):
        return error.text
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message
        return Text(
            f"the certificate of broker {address} is not trusted ({why}); compare tls.ca with the"
            " CA that signed it, and the host name with the one in it",
            f"le certificat du courtier {address} n'est pas approuvé ({why}) ; comparez tls.ca à"
            " l'AC qui l'a signé, et le nom d'hôte à celui qu'il porte",
        )
    if isinstance(error, ssl.SSLError):
        why = getattr(error, "reason", None) or "TLS"
        return Text(
            f"TLS with broker {address} failed ({why}); is that the TLS port, and is the client"
            " certificate one that it accepts?",
            f"TLS avec le courtier {address} a échoué ({why}) ; est-ce le port TLS, et accepte-t-il"
            " le certificat du client ?",
        )
    if isinstance(error, socket.gaierror):
        return Text(
            f"the name of broker {address} is not known here; check it and the name service",
            f"le nom du courtier {address} est inconnu ici ; vérifiez-le, ainsi que le DNS",
        )
    if isinstance(error, ConnectionRefusedError):
        return Text(
            f"nothing listens at broker {address}; is it running, is the port right?",
            f"rien n'écoute chez le courtier {address} ; fonctionne-t-il, le port est-il bon ?",
        )
    if isinstance(error, TimeoutError):
        return silent(address)
    if isinstance(error, OSError) and error.strerror:
        said = os_reason(error)
        return Text(
            f"broker {address} cannot be reached: {said.en}",
            f"le courtier {address} est injoignable : {said.fr}",
        )
    return closed(address)
