"""The files that the configuration names beside YAML: keys, roster, certificates, passwords."""

import os
import stat
from pathlib import Path

from radiobridge.config.gateway import BrokerConfig, GatewayConfig
from radiobridge.config.problems import Loc
from radiobridge.config.tree import Node
from radiobridge.config.validate import Report
from radiobridge.text import Text

_LONGEST_SOCKET = 107
"""Bytes in sockaddr_un.sun_path, less the final NUL (unix(7))."""


def check_files(config: GatewayConfig, tree: Node, report: Report) -> None:
    """Note files that are missing, unreadable or readable by others than they should be."""
    problem = secret_problem(config.keys, group_may_read=False)
    _note(tree, ("keys",), problem, "make it with `radiobridge keys gateway`", report)
    _note(
        tree,
        ("roster",),
        file_problem(config.roster),
        "make it with `radiobridge keys enrol`",
        report,
    )
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
            problem = secret_problem(tls.key, group_may_read=True)
            _note(tree, (*loc, "tls", "key"), problem, "correct the path", report)
    if broker.password_file is not None:
        problem = secret_problem(broker.password_file, group_may_read=True)
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


def file_problem(path: Path) -> Text | None:
    """Return why `path` cannot be read as a file, or None when it can."""
    try:
        status = path.stat()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Text(f"{path}: {reason}", f"{path}: {reason}")
    if not stat.S_ISREG(status.st_mode):
        return Text(f"{path} is not a file", f"{path} n'est pas un fichier")
    if not os.access(path, os.R_OK):
        return Text(
            f"{path} cannot be read by this user; give it to the gateway's user with `chown`",
            f"{path} n'est pas lisible par cet utilisateur; donnez-le à celui de la passerelle "
            "par `chown`",
        )
    return None


def secret_problem(path: Path, *, group_may_read: bool) -> Text | None:
    """Return why `path` is not a secret of ours, or None when it is one."""
    if problem := file_problem(path):
        return problem
    status = path.stat()
    if status.st_uid not in (0, os.geteuid()):
        return Text(
            f"{path} belongs to user {status.st_uid}; give it to the gateway's user with `chown`",
            f"{path} appartient à l'utilisateur {status.st_uid}; donnez-le à celui de la "
            "passerelle par `chown`",
        )
    others = 0o037 if group_may_read else 0o077
    if status.st_mode & others:
        return Text(
            f"{path} can be used by others (mode {status.st_mode & 0o777:04o}); `chmod 600 {path}`",
            f"{path} est accessible à d'autres (mode {status.st_mode & 0o777:04o}); "
            f"`chmod 600 {path}`",
        )
    return None
