"""The files that the configuration names beside YAML: keys, roster, certificates, passwords."""

import os
import stat
from pathlib import Path

from radiobridge.config.gateway import BrokerConfig, GatewayConfig
from radiobridge.config.problems import Loc
from radiobridge.config.tree import Node
from radiobridge.config.validate import Report
from radiobridge.errors import KeyFileError, RemoteProtocolError, os_reason
from radiobridge.text import Text

_LONGEST_ROSTER = 256 * 1024
_LONGEST_SOCKET = 107
"""Bytes in sockaddr_un.sun_path, less the final NUL (unix(7))."""


def check_files(
    config: GatewayConfig, agency_key: bytes | None, tree: Node, report: Report
) -> None:
    """Note files that are missing, damaged, or readable by others than they should be.

    `agency_key` is the own agency's public key, where the partners' file has it.
    """
    _check_keys(config, tree, report)
    _check_roster(config, agency_key, tree, report)
    for index, broker in enumerate(config.brokers):
        _check_broker(broker, ("brokers", index), tree, report)


def check_socket(config: GatewayConfig, tree: Node, report: Report) -> None:
    """Note a socket path that the system cannot take."""
    if len(os.fsencode(config.socket)) > _LONGEST_SOCKET:
        report.wrong(
            tree,
            ("socket",),
            f"the path is longer than {_LONGEST_SOCKET} bytes; choose a shorter one, such as "
            f"`/run/radiobridge/{config.gateway}.sock`",
            f"le chemin dépasse {_LONGEST_SOCKET} octets; choisissez-en un plus court, tel que "
            f"`/run/radiobridge/{config.gateway}.sock`",
        )


def _check_broker(broker: BrokerConfig, loc: Loc, tree: Node, report: Report) -> None:
    tls = broker.tls
    if tls is not None:
        for key, path in (("ca", tls.ca), ("certificate", tls.certificate)):
            if path is not None:
                _note(tree, (*loc, "tls", key), file_problem(path), "correct the path", report)
        if tls.key is not None:
            problem = secret_problem(tls.key)
            _note(tree, (*loc, "tls", "key"), problem, "correct the path", report)
    if broker.password_file is not None:
        problem = secret_problem(broker.password_file)
        _note(tree, (*loc, "password_file"), problem, "correct the path", report)


_ADVICE_FR = {
    "make it with `radiobridge keys gateway`": "créez-le par `radiobridge keys gateway`",
    "make it with `radiobridge keys enrol`": "créez-le par `radiobridge keys enrol`",
    "correct the path": "corrigez le chemin",
}


def _note(tree: Node, loc: Loc, problem: Text | None, advice: str, report: Report) -> None:
    if problem is not None:
        en = problem.en if ";" in problem.en else f"{problem.en}; {advice}"
        fr = problem.fr if ";" in problem.fr else f"{problem.fr}; {_ADVICE_FR[advice]}"
        report.wrong(tree, loc, en, fr)


def _check_keys(config: GatewayConfig, tree: Node, report: Report) -> None:
    from radiobridge.drivers.store.key_files import read_gateway_keys

    try:
        owner = read_gateway_keys(config.keys).gateway
    except KeyFileError as error:
        _note(tree, ("keys",), error.text, "make it with `radiobridge keys gateway`", report)
        return
    if owner != config.id:
        report.wrong(
            tree,
            ("keys",),
            f"{config.keys} holds the keys of {owner}, not of {config.id}; name its own",
            f"{config.keys} contient les clés de {owner}, non de {config.id}; nommez les siennes",
        )


def _check_roster(
    config: GatewayConfig, agency_key: bytes | None, tree: Node, report: Report
) -> None:
    advice = "make it with `radiobridge keys enrol`"
    if problem := file_problem(config.roster):
        _note(tree, ("roster",), problem, advice, report)
        return
    if agency_key is None:
        return
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from radiobridge.wire.roster import read_old_roster

    try:
        key = Ed25519PublicKey.from_public_bytes(agency_key)
        with config.roster.open("rb") as file:
            roster = read_old_roster(file.read(_LONGEST_ROSTER), config.id.agency, key)
    except (RemoteProtocolError, ValueError, OSError):
        text = Text(
            f"{config.roster} is no roster that the key of {config.agency} in the partners' file "
            "has signed",
            f"{config.roster} n'est pas un registre signé par la clé de {config.agency} du "
            "fichier des partenaires",
        )
        _note(tree, ("roster",), text, advice, report)
        return
    if all(entry.gateway != config.id for entry in roster.gateways):
        text = Text(
            f"{config.roster} does not list {config.id}",
            f"{config.roster} ne nomme pas {config.id}",
        )
        _note(tree, ("roster",), text, advice, report)


def file_problem(path: Path) -> Text | None:
    """Return why `path` cannot be read as a file, or None when it can."""
    try:
        status = path.stat()
    except OSError as error:
        reason = os_reason(error)
        return Text(f"{path}: {reason.en}", f"{path}: {reason.fr}")
    if not stat.S_ISREG(status.st_mode):
        return Text(f"{path} is not a file", f"{path} n'est pas un fichier")
    if not os.access(path, os.R_OK):
        return Text(
            f"{path} cannot be read by this user; give it to the gateway's user with `chown`",
            f"{path} n'est pas lisible par cet utilisateur; donnez-le à celui de la passerelle "
            "par `chown`",
        )
    return None


def secret_problem(path: Path) -> Text | None:
    """Return why `path` is not a secret of ours, or None when it is one; its group may read it."""
    if problem := file_problem(path):
        return problem
    status = path.stat()
    if status.st_uid not in (0, os.geteuid()):
        return Text(
            f"{path} belongs to user {status.st_uid}; give it to the gateway's user with `chown`",
            f"{path} appartient à l'utilisateur {status.st_uid}; donnez-le à celui de la "
            "passerelle par `chown`",
        )
    if status.st_mode & 0o037:
        return Text(
            f"{path} can be used by others (mode {status.st_mode & 0o777:04o}); `chmod 600 {path}`",
            f"{path} est accessible à d'autres (mode {status.st_mode & 0o777:04o}); "
            f"`chmod 600 {path}`",
        )
    return None
