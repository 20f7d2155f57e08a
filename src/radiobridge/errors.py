"""The one tree of errors. Each tells the person what to do, in English and French."""

import errno

from radiobridge.text import Text


class RadioBridgeError(Exception):
    """Base of all errors of the project; `text` is what an operator reads."""

    def __init__(self, en: str, fr: str) -> None:
        super().__init__(en)
        self.text = Text(en, fr)


class ConfigError(RadioBridgeError):
    """The configuration cannot be used; nothing was changed."""


class DriverError(RadioBridgeError):
    """A device failed, is missing, or answers nonsense."""


class DependencyMissingError(DriverError):
    """A driver needs a library that is not installed."""


class UnknownDriverError(DriverError):
    """No driver of that name is registered."""


class StoreError(RadioBridgeError):
    """State could not be read or made durable."""


class CommandError(RadioBridgeError):
    """A command cannot be carried out as asked."""


class LocalProtocolError(RadioBridgeError):
    """We misused our own machine: a bug on this side, never the peer's doing."""

    def __init__(self, en: str) -> None:
        super().__init__(en, en)


class RemoteProtocolError(RadioBridgeError):
    """What came from outside breaks the protocol. `reason` is a short constant for counters."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason, reason)
        self.reason = reason


class InvalidIdError(RemoteProtocolError, ValueError):
    """A name that is not an id (see `model.ids`)."""


class KeyFileError(RadioBridgeError):
    """A key file is missing, damaged, or readable by others. Never holds key material."""


_REASONS = {
    errno.ENOENT: Text("does not exist", "n'existe pas"),
    errno.EACCES: Text("this user has no right to it", "cet utilisateur n'y a pas droit"),
    errno.EISDIR: Text("is a folder", "est un dossier"),
    errno.ENOSPC: Text("the disk is full", "le disque est plein"),
    errno.EROFS: Text("its disk is read-only", "son disque est en lecture seule"),
    errno.ENOTDIR: Text("a folder in its path is a file", "un dossier du chemin est un fichier"),
    errno.ENODEV: Text("is unplugged", "est débranché"),
    errno.ENXIO: Text("is unplugged", "est débranché"),
    errno.EIO: Text("is unplugged, or broken", "est débranché, ou en panne"),
    errno.EBUSY: Text("another program uses it", "un autre programme l'emploie"),
    errno.EADDRINUSE: Text("another program uses it", "un autre programme l'emploie"),
    errno.ECONNREFUSED: Text("nothing listens there", "rien n'y écoute"),
    errno.EHOSTUNREACH: Text("no way leads there", "aucun chemin n'y mène"),
    errno.ENETUNREACH: Text("no way leads there", "aucun chemin n'y mène"),
    errno.EMFILE: Text("no file handle is left", "il ne reste aucun descripteur de fichier"),
    errno.ENFILE: Text("no file handle is left", "il ne reste aucun descripteur de fichier"),
    errno.EDQUOT: Text("the disk quota is used up", "le quota du disque est épuisé"),
    errno.ELOOP: Text("its links lead in a circle", "ses liens tournent en rond"),
}


def os_reason(error: OSError) -> Text:
    """Return what the system says, in both languages where it is common."""
    said = error.strerror or str(error) or type(error).__name__
    return _REASONS.get(error.errno or 0, Text(said, said))
