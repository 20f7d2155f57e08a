"""What this gateway itself says about patches: published to whom they concern, kept over restarts.

What takes away counts here before anything is written or sent. What gives is in the audit log
before it is said, and counts once it is published. A word that was said stands: it is published
again when somebody new must read it, and restored after a restart. What brokers keep of it is not
replaced by what fewer could read: an acceptance waits for the rosters of those that it concerns.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from radiobridge.core.patches import PatchBook
from radiobridge.errors import RadioBridgeError, StoreError
from radiobridge.model.ids import AgencyId, GatewayId, PatchId
from radiobridge.model.patch import Terms
from radiobridge.services.auditing import Auditor
from radiobridge.services.clock import BridgeTime
from radiobridge.services.directory import Directory, by_turns
from radiobridge.services.papers import Papers
from radiobridge.services.tasks import Tasks
from radiobridge.spi import StateStore
from radiobridge.wire.roster import Right
from radiobridge.wire.terms import terms_from_body, terms_to_body
from radiobridge.wire.topics import patch_topic
from radiobridge.wire.words import PatchWord, Verb

log = structlog.get_logger()

WORD_KEY = "word/"
ADOPTED_KEY = "adopted/"

RETRY_S = 5.0
"""After a store or a log that failed: when a word is tried again."""

STORE_S = 2.0
"""Longest wait for a disk before a consent is refused."""


@dataclass(frozen=True, slots=True)
class _Said:
    """One word of ours as published."""

    word: PatchWord
    recipients: frozenset[tuple[GatewayId, bytes]]
    """Who can read it, by which key; nobody that we know of after a restart."""
    version: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a word of ours comes from, for the audit log."""

    source: str = "plan"
    by: str = ""


_BY_PLAN = Origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class WordPorts:
    """What the words ask of the control plane."""

    decide: Callable[[int], None]
    """Decide anew who hears whom, at this bridge time: something was taken away."""
    refresh: Callable[[], None]
    """Do what follows from a word that was said."""
    terms_of: Callable[[PatchId], Terms | None]
    """The terms by which a patch is judged now."""
    running: Callable[[], bool]


class OwnWords:
    """The words of one gateway on patches. Times are ms of bridge time."""

    def __init__(
        self,
        me: GatewayId,
        *,
        patches: PatchBook,
        directory: Directory,
        papers: Papers,
        bridge: BridgeTime,
        store: StateStore,
        auditor: Auditor,
        tasks: Tasks,
        ports: WordPorts,
    ) -> None:
        self._me = me
        self._patches = patches
        self._directory = directory
        self._papers = papers
        self._bridge = bridge
        self._store = store
        self._auditor = auditor
        self._tasks = tasks
        self._ports = ports
        self._said: dict[PatchId, _Said] = {}
        self._giving: set[PatchId] = set()
        self._origins: dict[PatchId, Origin] = {}

    # --- what follows by itself ----------------------------------------------------------------

    def speak(self, now_ms: int, *, gives: bool) -> bool:
        """Publish what we owe; tell whether something was said at once.

        Without `gives` withdrawals only: a clock that is wrong may have hidden what we have said.
        """
        owed = {word.patch: word for word in self._patches.words_to_say(self._me, now_ms)}
        for patch, said in self._said.items():
            if patch not in owed and self._unread(said, now_ms):
                owed[patch] = said.word
        spoken = False
        for word in owed.values():
            if word.verb is not Verb.WITHDRAW and not gives:
                continue
            if self._gives(word):
                self._give_later(word)
            else:
                spoken = self._try_to_say(word) or spoken
        return spoken

    def _unread(self, said: _Said, now_ms: int) -> bool:
        """Tell whether somebody who can be reached now has not been able to read a word."""
        if not said.recipients and self._strangers(said.word):
            return False
        return bool(self._audience(said.word, now_ms).items() - said.recipients)

    def _strangers(self, word: PatchWord) -> frozenset[AgencyId]:
        """Return the owners of members that are trusted, and whose roster has not come yet."""
        trusted = self._concerned(word) & self._directory.agencies
        return trusted - self._directory.rosters.keys()

    def _gives(self, word: PatchWord) -> bool:
        """Tell whether a word accepts terms that the one before did not."""
        said = self._said.get(word.patch)
        return word.terms is not None and (said is None or said.word.terms != word.terms)

    def _give_later(self, word: PatchWord) -> None:
        if word.patch not in self._giving:
            self._giving.add(word.patch)
            self._tasks.spawn(self._give(word))

    async def _give(self, word: PatchWord) -> None:
        """Say a word that gives, once that is in the log, if it is still owed then."""
        origin = self._origins.get(word.patch, _BY_PLAN)
        try:
            await self._auditor.consent(word, source=origin.source, by=origin.by)
        except StoreError as error:
            log.error("word-not-said", patch=str(word.patch), error=str(error))  # noqa: TRY400
            await asyncio.sleep(RETRY_S)
        else:
            owed = self._patches.words_to_say(self._me, self._bridge.now_ms())
            if not (self._ports.running() and word in owed and self._try_to_say(word)):
                self._auditor.not_said(word, source=origin.source, by=origin.by)
        finally:
            self._giving.discard(word.patch)
        if self._ports.running():
            self._ports.refresh()

    # --- what is commanded ---------------------------------------------------------------------

    async def accept(self, word: PatchWord, origin: Origin) -> None:
        """Say a word that gives, once it is durable. Raises StoreError: then nothing was given."""
        assert word.terms is not None  # noqa: S101  only a withdrawal has none
        await self._auditor.consent(word, source=origin.source, by=origin.by)
        try:
            await self._keep_adopted(word.terms, origin)
        except StoreError:
            self._auditor.not_said(word, source=origin.source, by=origin.by)
            raise
        self._origins[word.patch] = origin
        self._patches.adopt(word.terms)
        self._say(word)
        self._ports.refresh()

    def take_away(self, word: PatchWord, origin: Origin) -> "asyncio.Task[None]":
        """Withdraw or narrow: it counts here when this returns. The task makes it durable.

        To narrow what another gateway of this agency has accepted, this one accepts it too.
        """
        self._origins[word.patch] = origin
        if word.terms is not None:
            self._patches.adopt(word.terms)
            self._tasks.spawn(self._put(*_adopted(word.terms, origin), lambda: True))
        task = self._say(word, gives=False)
        self._ports.refresh()
        return task

    async def _keep_adopted(self, terms: Terms, origin: Origin) -> None:
        name, value = _adopted(terms, origin)
        try:
            async with asyncio.timeout(STORE_S):
                await self._store.put(name, value)
        except (StoreError, TimeoutError) as error:
            # What is stored too late after all must not be given by the next start.
            self._tasks.spawn(self._put(name, "", lambda: True))
            if isinstance(error, StoreError):
                raise
            raise StoreError(
                f"the state was not on the disk within {STORE_S:.0f} s; nothing was accepted",
                f"l'état n'était pas sur le disque après {STORE_S:.0f} s; rien n'a été accepté",
            ) from None

    # --- restarts ------------------------------------------------------------------------------

    def restore(self, now_ms: int) -> None:
        """Take what this gateway accepted and said before a restart: a withdrawal is for good."""
        for name, text in self._store.items(ADOPTED_KEY).items():
            self._restore(name, text, self._restore_adopted)
        for name, text in self._store.items(WORD_KEY).items():
            self._restore(name, text, partial(self._restore_word, now_ms=now_ms))

    def _restore(
        self, name: str, text: str, take: Callable[[str, Mapping[str, Any]], None]
    ) -> None:
        if not text:
            return
        try:
            take(name.partition("/")[2], json.loads(text))
        except (RadioBridgeError, ValueError, KeyError, TypeError) as error:
            log.error("word-not-restored", name=name, error=type(error).__name__)  # noqa: TRY400

    def _restore_adopted(self, patch: str, value: Mapping[str, Any]) -> None:
        terms = terms_from_body(value["terms"])
        self._origins[PatchId(patch)] = Origin(str(value["source"]), str(value["by"]))
        self._patches.adopt(terms)

    def _restore_word(self, patch: str, value: Mapping[str, Any], *, now_ms: int) -> None:
        word = PatchWord.from_body(value["body"], patch)
        version, expires_ms = int(value["version"]), int(value["expires"])
        self._papers.raise_floor(version)
        if expires_ms > now_ms or not self._bridge.synchronised:
            self._patches.word(self._me, word, version=version, expires_ms=expires_ms)
            self._said[word.patch] = _Said(word, frozenset(), version)

    def recall(self, word: PatchWord, version: int, expires_ms: int) -> None:
        """Take a word of ours that came back from a broker, and that the disk may have forgotten.

        What took away counts whenever it comes, also after we have said something newer: another
        broker may have served an older word first.
        """
        known = self._said.get(word.patch)
        if known is not None and known.version >= version:
            self._recall_old(known.word, word, version, expires_ms)
            return
        log.warning("word-recalled", patch=str(word.patch), verb=word.verb.value)
        self._patches.word(self._me, word, version=version, expires_ms=expires_ms)
        self._said[word.patch] = _Said(word, frozenset(), version)
        self._auditor.word_said(word, source="recalled")
        if word.terms is not None and not self._patches.planned(word.patch):
            self._patches.adopt(word.terms)
            adopted = _adopted(word.terms, Origin("recalled"))
            self._tasks.spawn(self._put(*adopted, lambda: True))
        self._tasks.spawn(self._persist(word, version, expires_ms))
        self._ports.refresh()

    def _recall_old(
        self, newest: PatchWord, word: PatchWord, version: int, expires_ms: int
    ) -> None:
        """Take an older word of ours: a withdrawal is for good, restrictions never come off."""
        if word == newest or word.verb is Verb.ACCEPT or newest.verb is Verb.WITHDRAW:
            return
        self._patches.word(self._me, word, version=version, expires_ms=expires_ms)
        if word.verb is Verb.WITHDRAW:
            log.warning("word-recalled", patch=str(word.patch), verb=word.verb.value)
            self._auditor.word_said(word, source="recalled")
            self._say(word, gives=False)
        # A restriction is in what we owe now, and said again with it.
        self._ports.refresh()

    def forget(self, patches: tuple[PatchId, ...]) -> None:
        """Forget what was said about patches that are long over, on the disk and on brokers.

        Whatever was said about them has expired everywhere, a withdrawal last.
        """
        for patch in patches:
            self._origins.pop(patch, None)
            if self._said.pop(patch, None) is not None:
                self._papers.clear(patch_topic(self._me, patch))
                for key in (WORD_KEY, ADOPTED_KEY):
                    self._tasks.spawn(self._put(key + patch, "", lambda: True))

    # --- saying --------------------------------------------------------------------------------

    def _audience(self, word: PatchWord, now_ms: int) -> dict[GatewayId, bytes]:
        """Return who may read a word: the gateways of all that own a member."""
        agencies = self._concerned(word)
        holders = self._directory.holders(agencies | {self._me.agency}, Right.VOICE, now_ms)
        consenting = self._directory.holders(agencies, Right.CONSENT, now_ms)
        found = by_turns((*consenting, *holders), self._me)
        return {entry.gateway: entry.hpke_key for entry in found}

    def _concerned(self, word: PatchWord) -> frozenset[AgencyId]:
        known = word.terms or self._terms_of(word.patch)
        return known.agencies if known is not None else self._directory.agencies

    def _terms_of(self, patch: PatchId) -> Terms | None:
        said = self._said.get(patch)
        if said is not None and said.word.terms is not None:
            return said.word.terms
        return self._ports.terms_of(patch)

    def _try_to_say(self, word: PatchWord) -> bool:
        try:
            self._say(word)
        except RadioBridgeError as error:
            log.error("word-not-said", patch=str(word.patch), error=str(error))  # noqa: TRY400
            return False
        return True

    def _say(self, word: PatchWord, *, gives: bool | None = None) -> "asyncio.Task[None]":
        """Let one word of ours count, publish it and keep it. What takes away counts first."""
        now_ms = self._bridge.now_ms()
        if gives is None:
            gives = self._gives(word)
        recipients = self._audience(word, now_ms)
        expires_ms = self._patches.word_expires_ms(word, now_ms)
        version = self._papers.next_version()
        counts = partial(self._patches.word, self._me, word, version=version, expires_ms=expires_ms)
        if not gives:
            counts()
            self._ports.decide(now_ms)
        if recipients.keys() != {self._me} or word.terms is None:
            self._papers.publish_sealed(
                patch_topic(self._me, word.patch),
                word.to_body(),
                recipients,
                expires_ms=expires_ms,
                version=version,
            )
        counts()
        again = self._said.get(word.patch)
        self._said[word.patch] = _Said(word, frozenset(recipients.items()), version)
        if not gives and (again is None or again.word != word):
            origin = self._origins.get(word.patch, _BY_PLAN)
            self._auditor.word_said(word, source=origin.source, by=origin.by)
        log.info("word-said", patch=str(word.patch), verb=word.verb.value,
                 gateways=len(recipients))  # fmt: skip
        return self._tasks.spawn(self._persist(word, version, expires_ms))

    async def _persist(self, word: PatchWord, version: int, expires_ms: int) -> None:
        value = {"body": word.to_body(), "version": version, "expires": expires_ms}
        await self._put(
            WORD_KEY + word.patch,
            json.dumps(value),
            lambda: self._said[word.patch].version == version,
        )

    async def _put(self, name: str, value: str, wanted: Callable[[], bool]) -> None:
        """Store, trying again while the disk fails and it is still wanted."""
        while True:
            try:
                await self._store.put(name, value)
            except StoreError as error:
                log.error("word-not-stored", name=name, error=str(error))  # noqa: TRY400
            else:
                return
            if not self._ports.running():
                return
            await asyncio.sleep(RETRY_S)
            if not (self._ports.running() and wanted()):
                return


def _adopted(terms: Terms, origin: Origin) -> tuple[str, str]:
    """Return key and value by which accepted terms are stored."""
    value = {"terms": terms_to_body(terms), "source": origin.source, "by": origin.by}
    return ADOPTED_KEY + terms.patch, json.dumps(value)
