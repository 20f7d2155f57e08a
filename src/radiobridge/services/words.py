"""What this gateway itself says about patches: published to whom they concern, kept over restarts.

What takes away counts here before it is published; what gives counts after. A word that was said
stands: it is published again when somebody new must read it, and restored after a restart.
"""

import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from radiobridge.core.patches import PatchBook
from radiobridge.errors import RadioBridgeError, StoreError
from radiobridge.model.ids import GatewayId, PatchId
from radiobridge.model.patch import Terms
from radiobridge.services.directory import Directory
from radiobridge.services.papers import Papers
from radiobridge.spi import StateStore
from radiobridge.wire.roster import Right
from radiobridge.wire.topics import patch_topic
from radiobridge.wire.words import PatchWord, Verb

log = structlog.get_logger()

WORD_KEY = "word/"


@dataclass(frozen=True, slots=True)
class _Said:
    """One word of ours as published."""

    word: PatchWord
    recipients: frozenset[GatewayId]


@dataclass(frozen=True, slots=True, kw_only=True)
class WordPorts:
    """What the words ask of the control plane."""

    decide: Callable[[int], None]
    """Decide anew who hears whom, at this bridge time: something was taken away."""
    terms_of: Callable[[PatchId], Terms | None]
    """The terms by which a patch is judged now."""
    spawn: Callable[[Coroutine[Any, Any, None]], None]


class OwnWords:
    """The words of one gateway on patches. Times are ms of bridge time."""

    def __init__(
        self,
        me: GatewayId,
        *,
        patches: PatchBook,
        directory: Directory,
        papers: Papers,
        store: StateStore,
        ports: WordPorts,
    ) -> None:
        self._me = me
        self._patches = patches
        self._directory = directory
        self._papers = papers
        self._store = store
        self._ports = ports
        self._said: dict[PatchId, _Said] = {}

    def speak(self, now_ms: int) -> bool:
        """Publish what we owe; tell whether something was said."""
        words = {word.patch: word for word in self._patches.words_to_say(self._me, now_ms)}
        for patch, said in self._said.items():
            if patch not in words and self._audience(said.word, now_ms).keys() - said.recipients:
                words[patch] = said.word
        for word in words.values():
            self._say(word, now_ms)
        return bool(words)

    def restore(self, now_ms: int) -> None:
        """Take what this gateway said before a restart: a withdrawal is for good."""
        for name, text in self._store.items(WORD_KEY).items():
            try:
                value: Mapping[str, Any] = json.loads(text)
                patch = name.removeprefix(WORD_KEY)
                word = PatchWord.from_body(value["body"], patch)
                version, expires_ms = int(value["version"]), int(value["expires"])
                if expires_ms <= now_ms:
                    continue
                self._patches.word(self._me, word, version=version, expires_ms=expires_ms)
            except (RadioBridgeError, ValueError, KeyError, TypeError) as error:
                log.error("word-not-restored", name=name, error=type(error).__name__)  # noqa: TRY400
                continue
            self._said[word.patch] = _Said(word, frozenset())

    def _audience(self, word: PatchWord, now_ms: int) -> dict[GatewayId, bytes]:
        """Return who may read a word: the gateways of all that own a member."""
        known = word.terms or self._terms_of(word.patch)
        agencies = known.agencies if known is not None else self._directory.agencies
        holders = self._directory.holders(agencies | {self._me.agency}, Right.VOICE, now_ms)
        consenting = self._directory.holders(agencies, Right.CONSENT, now_ms)
        return {entry.gateway: entry.hpke_key for entry in (*holders, *consenting)}

    def _terms_of(self, patch: PatchId) -> Terms | None:
        said = self._said.get(patch)
        if said is not None and said.word.terms is not None:
            return said.word.terms
        return self._ports.terms_of(patch)

    def _say(self, word: PatchWord, now_ms: int) -> None:
        """Let one word of ours count, and publish it. What takes away counts here first."""
        recipients = self._audience(word, now_ms)
        expires_ms = self._patches.word_expires_ms(word, now_ms)
        version = self._papers.next_version()
        counts = partial(self._patches.word, self._me, word, version=version, expires_ms=expires_ms)
        try:
            if word.verb is not Verb.ACCEPT:
                counts()
                self._ports.decide(now_ms)
            topic = patch_topic(self._me, word.patch)
            self._papers.publish_sealed(
                topic, word.to_body(), recipients, expires_ms=expires_ms, version=version
            )
            counts()
        except RadioBridgeError as error:
            log.error("word-not-said", patch=str(word.patch), error=str(error))  # noqa: TRY400
            return
        self._said[word.patch] = _Said(word, frozenset(recipients))
        self._ports.spawn(self._persist(word, version, expires_ms))
        log.info("word-said", patch=str(word.patch), verb=word.verb.value,
                 gateways=len(recipients))  # fmt: skip

    async def _persist(self, word: PatchWord, version: int, expires_ms: int) -> None:
        value = {"body": word.to_body(), "version": version, "expires": expires_ms}
        try:
            await self._store.put(WORD_KEY + str(word.patch), json.dumps(value))
        except StoreError as error:
            log.error("word-not-stored", patch=str(word.patch), error=str(error))  # noqa: TRY400
