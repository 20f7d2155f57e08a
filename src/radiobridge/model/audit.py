"""What the audit log holds: who did or said what, when and where, and what came of it.

Fields: NIST SP 800-53, AU-3 (what, when, where, source, outcome, identity).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from radiobridge.text import Text


class AuditEvent(StrEnum):
    """What an entry is about. A log may hold others, from a newer or an extended gateway."""

    STARTED = "started"
    STOPPED = "stopped"
    CONFIGURATION = "configuration"
    """The configuration was read again."""
    ROSTER = "roster"
    """An agency's roster was accepted, or two contradict each other."""
    WORD_SAID = "word-said"
    WORD_HEARD = "word-heard"
    KEY_GIVEN = "key-given"
    PATCH_IN_FORCE = "patch-in-force"
    PATCH_OVER = "patch-over"
    INHIBIT = "inhibit"
    ALLOW = "allow"
    CHANNEL_WRONG = "channel-wrong"
    """A donor radio reports another channel than it should be on: it is cut both ways."""
    CHANNEL_RIGHT = "channel-right"
    LOOP_OPENED = "loop-opened"
    """A donor radio hears what was sent before: it is cut both ways until somebody allows it."""
    SPURT_STARTED = "spurt-started"
    SPURT_ENDED = "spurt-ended"
    NOT_DELIVERED = "not-delivered"
    ALARM_RAISED = "alarm-raised"
    ALARM_RANK_SPENT = "alarm-rank-spent"
    """30 s of open microphone: the talkgroup's spurts are no emergencies until raised again."""
    ALARM_ESCALATED = "alarm-escalated"
    """Nobody has acknowledged it in time."""
    ALARM_ACKNOWLEDGED = "alarm-acknowledged"
    ALARM_CLEAR_SAID = "alarm-clear-said"
    """Cleared by the raiser's agency, and still to be acknowledged."""
    ALARM_CLEARED = "alarm-cleared"
    TALKER_DEMOTED = "talker-demoted"
    TALKER_EXCLUDED = "talker-excluded"
    TALKER_RESTORED = "talker-restored"
    STATE_LOST = "state-lost"
    """This gateway cannot trust what it remembers."""
    STATE_TRUSTED = "state-trusted"
    STATE_CONFIRMED = "state-confirmed"
    """An operator vouches for what it remembers."""
    HEAD_WENT_BACK = "head-went-back"
    """A partner's log is shorter than it was, or another one."""
    LOG_CUT = "log-cut"
    """This log is shorter than it was when its head was published last."""
    DOCUMENT_WITHHELD = "document-withheld"
    """A head names a document that no broker brings."""
    LEFT_OUT = "left-out"
    """Entries that could not be kept, counted."""


class Outcome(StrEnum):
    """What came of it."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class Order(StrEnum):
    """Whether an entry was on the disk before what it tells took effect."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that happened. Never holds key material or voice."""

    what: str
    """An `AuditEvent`; any other short constant is kept too."""
    when_ms: int
    """Bridge time in ms since 1970."""
    where: str
    """The gateway whose log this is."""
    source: str
    """Where it came from: a command, a document's topic and version, the configuration, a radio."""
    outcome: Outcome
    identity: str
    """Who: a user, a gateway, an agency."""
    detail: Mapping[str, str | int] = field(default_factory=dict)


class AuditHead(NamedTuple):
    """How far a log goes: the number of its last entry (0: none) and that entry's hash."""

    sequence: int
    hash: str
    """SHA-256 in hex."""

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditState:
    """How the log itself is."""

    head: AuditHead | None
    """What is on the disk; None until the log has been opened."""
    waiting: int = 0
    """Entries that are not on the disk yet."""
    left_out: int = 0
    """Entries that did not fit into the queue since the start."""
    failures: int = 0
    """Attempts to write that failed since the start."""
    error: Text | None = None
    """Why the last attempt failed; None when it did not."""
