"""Keys by epoch: who may hear holds the key of that time, and nobody holds another."""

from collections.abc import Collection, Iterable
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiobridge.core.voice_keys import (
    KEY_LIFE_MS,
    OLD_KEY_MS,
    RESERVE,
    SWITCH_MS,
    KeyEffect,
    Listener,
    PersistEpoch,
    PublishKey,
    VoiceKeys,
)
from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import GatewayId, TalkgroupId, parse_gateway, parse_talkgroup
from radiobridge.wire.words import MAX_EPOCH, KeyGrant

ME = parse_gateway("ca.opp/windsor")
TAC1 = parse_talkgroup("ca.opp/TAC1")
BORDER = parse_talkgroup("us.cbp/BORDER")
SARNIA, DETROIT, BUFFALO, OTTAWA = (
    Listener(parse_gateway(name), name.encode())
    for name in ("ca.opp/sarnia", "us.cbp/detroit", "us.cbp/buffalo", "ca.rcmp/ottawa")
)
T0 = 1_800_000_000_000


class Gateway:
    """One gateway's keys, with a disk that is as quick or slow as the test wants."""

    def __init__(self, stored: int = 0, *, disk: bool = True) -> None:
        numbers = count(1)
        self.now = T0
        self.disk = disk
        self.asked: list[PersistEpoch] = []
        self.durable = stored
        self.published: list[PublishKey] = []
        self.keys = VoiceKeys(ME, lambda n: next(numbers).to_bytes(n), {TAC1: stored})

    def follow(self, *listeners: Listener) -> None:
        self.carry_out(self.keys.follow(TAC1, listeners, self.now))

    def tick(self, after_ms: int = 0) -> None:
        self.now += after_ms
        self.carry_out(self.keys.tick(self.now))

    def store(self) -> None:
        while self.asked:
            effect = self.asked.pop(0)
            self.durable = effect.epoch
            self.carry_out(self.keys.epoch_stored(TAC1, effect.epoch, self.now))

    def carry_out(self, effects: Iterable[KeyEffect]) -> None:
        for effect in effects:
            if isinstance(effect, PersistEpoch):
                self.asked.append(effect)
            else:
                assert effect.grant.epoch <= self.durable, "used before it was durable"
                self.published.append(effect)
        if self.disk:
            self.store()

    @property
    def sending(self) -> KeyGrant | None:
        return self.keys.sending(TAC1)

    @property
    def epoch(self) -> int:
        assert self.sending is not None
        return self.sending.epoch

    def given(self, listener: Listener) -> set[int]:
        return {one.grant.epoch for one in self.published if listener in one.listeners}


def test_nothing_is_sent_before_the_counter_is_durable() -> None:
    gateway = Gateway(disk=False)
    gateway.follow(DETROIT)
    assert gateway.keys.sending(TAC1) is None
    assert gateway.published == []
    assert gateway.asked == [PersistEpoch(talkgroup=TAC1, epoch=RESERVE)]
    gateway.store()
    assert gateway.epoch == 1
    assert gateway.given(DETROIT) == {1}


def test_on_a_disk_that_fails_our_own_radios_have_a_key_that_nobody_else_gets() -> None:
    gateway = Gateway(disk=False)
    gateway.follow(DETROIT)
    gateway.keys.epoch_not_stored(TAC1, gateway.now)
    gateway.keys.epoch_not_stored(TAC1, gateway.now)
    local = gateway.sending
    assert local is not None
    assert gateway.keys.opener(ME, TAC1)(local.epoch) == local.key
    assert gateway.published == []
    gateway.store()
    given = gateway.sending
    assert given is not None
    assert (given.key != local.key, given.epoch > local.epoch) == (True, True)
    assert gateway.given(DETROIT) == {given.epoch}


def test_a_disk_that_fails_takes_no_key_from_who_has_it() -> None:
    gateway = Gateway()
    gateway.follow(DETROIT)
    before = gateway.epoch
    gateway.keys.epoch_not_stored(TAC1, gateway.now)
    assert gateway.epoch == before


def test_a_restart_uses_no_epoch_again() -> None:
    gateway = Gateway(stored=RESERVE)
    gateway.follow()
    assert gateway.epoch == RESERVE + 1


def test_the_key_goes_to_each_agency_apart() -> None:
    gateway = Gateway()
    gateway.follow(DETROIT, BUFFALO, OTTAWA, SARNIA)
    grouped = {one.recipient: one.listeners for one in gateway.published}
    assert grouped == {
        "us.cbp": {DETROIT, BUFFALO},
        "ca.rcmp": {OTTAWA},
        "ca.opp": {SARNIA},
    }
    assert len({one.grant.key for one in gateway.published}) == 1
    assert gateway.published[0].expires_ms > T0 + KEY_LIFE_MS


def test_the_same_set_again_changes_nothing() -> None:
    gateway = Gateway()
    gateway.follow(DETROIT, OTTAWA)
    before = list(gateway.published)
    gateway.follow(OTTAWA, DETROIT, Listener(ME, b"own"))
    gateway.tick(1000)
    assert gateway.published == before
    assert gateway.epoch == 1


def test_who_leaves_gets_no_key_of_the_next_epoch() -> None:
    gateway = Gateway()
    gateway.follow(DETROIT, OTTAWA)
    gateway.follow(DETROIT)
    assert gateway.epoch == 2, "at once"
    assert gateway.given(OTTAWA) == {1}
    assert gateway.given(DETROIT) == {1, 2}


def test_a_withdrawal_does_not_wait_for_the_disk() -> None:
    gateway = Gateway()
    gateway.follow(DETROIT, OTTAWA)
    gateway.disk = False
    gateway.follow(DETROIT)
    assert gateway.epoch == 2


def test_without_a_durable_epoch_nothing_more_is_sent_to_who_has_left() -> None:
    gateway = Gateway()
    gateway.follow(DETROIT, OTTAWA)
    gateway.disk = False
    for _ in range(RESERVE):
        gateway.follow(DETROIT)
        gateway.follow(DETROIT, OTTAWA)
    gateway.follow(DETROIT)
    assert gateway.keys.sending(TAC1) is None
    gateway.store()
    assert gateway.epoch not in gateway.given(OTTAWA)


def test_who_joins_late_gets_no_old_key() -> None:
    gateway = Gateway()
    gateway.follow(DETROIT)
    gateway.follow(DETROIT, OTTAWA)
    assert gateway.epoch == 1, "the old key serves until the new one is there"
    gateway.tick(SWITCH_MS - 1)
    assert gateway.epoch == 1
    gateway.tick(1)
    assert gateway.epoch == 2
    assert gateway.given(OTTAWA) == {2}
    assert gateway.given(DETROIT) == {1, 2}


def test_the_first_listener_does_not_wait() -> None:
    gateway = Gateway()
    gateway.follow()
    assert gateway.epoch == 1
    gateway.follow(DETROIT)
    assert gateway.epoch == 2
    assert gateway.given(DETROIT) == {2}


def test_joining_one_after_the_other_does_not_put_the_switch_off() -> None:
    gateway = Gateway()
    gateway.follow(DETROIT)
    gateway.follow(DETROIT, OTTAWA)
    gateway.now += SWITCH_MS - 1
    gateway.follow(DETROIT, OTTAWA, SARNIA)
    gateway.tick(1)
    assert gateway.epoch == 3
    assert gateway.given(SARNIA) == {3}


def test_leaving_while_a_new_key_waits() -> None:
    gateway = Gateway()
    gateway.follow(DETROIT)
    gateway.follow(DETROIT, OTTAWA)
    gateway.follow(DETROIT)
    assert gateway.epoch == 3
    assert gateway.given(OTTAWA) == {2}
    gateway.tick(10 * SWITCH_MS)
    assert gateway.epoch == 3


def test_a_turned_hpke_key_is_a_new_set() -> None:
    gateway = Gateway()
    gateway.follow(DETROIT)
    turned = Listener(DETROIT.gateway, b"new")
    gateway.follow(turned)
    assert gateway.epoch == 2
    assert gateway.given(turned) == {2}


def test_a_key_lives_a_day() -> None:
    gateway = Gateway()
    gateway.follow(DETROIT)
    assert gateway.keys.next_deadline_ms() == T0 + KEY_LIFE_MS
    gateway.tick(KEY_LIFE_MS - 1)
    assert gateway.given(DETROIT) == {1}
    gateway.tick(1)
    assert gateway.given(DETROIT) == {1, 2}
    assert gateway.keys.next_deadline_ms() == gateway.now + SWITCH_MS
    gateway.tick(SWITCH_MS)
    assert gateway.epoch == 2


def test_no_deadline_passes_without_effect() -> None:
    gateway = Gateway(disk=False)
    gateway.follow(DETROIT)
    gateway.store()
    for _ in range(3 * RESERVE):
        at = gateway.keys.next_deadline_ms()
        if at is None:
            gateway.store()
            continue
        assert at > gateway.now or gateway.keys.next_deadline_ms() != at
        gateway.tick(at - gateway.now)
        assert gateway.keys.next_deadline_ms() != at


def test_sixteen_bits_of_epochs_wrap() -> None:
    gateway = Gateway(stored=MAX_EPOCH - 1)
    gateway.follow(DETROIT)
    assert gateway.epoch == MAX_EPOCH
    gateway.follow(OTTAWA)
    assert gateway.epoch == 1


def test_our_own_packets_are_opened_like_all_others() -> None:
    gateway = Gateway()
    opener = gateway.keys.opener(ME, TAC1)
    gateway.follow(DETROIT)
    assert opener(1) == gateway.published[0].grant.key
    gateway.follow(OTTAWA)
    assert (opener(1), opener(2)) == tuple(one.grant.key for one in gateway.published)
    gateway.tick(OLD_KEY_MS)
    assert opener(1) is None
    assert opener(2) is not None


def test_keys_of_what_is_sent_no_more_are_forgotten_but_not_their_epochs() -> None:
    gateway = Gateway()
    gateway.follow(DETROIT)
    gateway.keys.sends({TAC1, BORDER})
    assert gateway.keys.sending(TAC1) is not None
    gateway.keys.sends({BORDER})
    assert gateway.sending is None
    opener = gateway.keys.opener(ME, TAC1)
    assert opener(1) is None
    gateway.follow(DETROIT)
    assert gateway.epoch == RESERVE + 1
    assert opener(gateway.epoch) is not None


# Keys of others


def grant(epoch: int, since_ms: int, talkgroup: TalkgroupId = BORDER) -> KeyGrant:
    return KeyGrant(
        talkgroup=talkgroup, epoch=epoch, key=bytes([epoch % 256]) * 32, since_ms=since_ms
    )


def test_the_newest_two_received_keys_are_kept() -> None:
    keys = Gateway().keys
    opener = keys.opener(DETROIT.gateway, BORDER)
    for epoch in (7, 8, 9):
        keys.receive(DETROIT.gateway, grant(epoch, T0 + epoch), T0)
    assert [opener(epoch) is not None for epoch in (7, 8, 9)] == [False, True, True]
    assert keys.next_deadline_ms() == T0 + OLD_KEY_MS
    keys.tick(T0 + OLD_KEY_MS)
    assert [opener(epoch) is not None for epoch in (7, 8, 9)] == [False, False, True]


def test_an_old_grant_does_not_come_back() -> None:
    keys = Gateway().keys
    opener = keys.opener(DETROIT.gateway, BORDER)
    keys.receive(DETROIT.gateway, grant(9, T0), T0)
    keys.receive(DETROIT.gateway, grant(8, T0 - 1), T0)
    keys.receive(DETROIT.gateway, grant(9, T0), T0)
    assert opener(8) is None
    assert opener(9) is not None


def test_keys_of_two_senders_do_not_mix() -> None:
    keys = Gateway().keys
    keys.receive(DETROIT.gateway, grant(1, T0), T0)
    assert keys.opener(BUFFALO.gateway, BORDER)(1) is None


@pytest.mark.parametrize("sender", [OTTAWA.gateway, ME, parse_gateway("ca.opp/sarnia")])
def test_nobody_gives_keys_of_anothers_talkgroup(sender: GatewayId) -> None:
    with pytest.raises(RemoteProtocolError):
        Gateway().keys.receive(sender, grant(1, T0), T0)


def test_what_we_no_longer_hear_is_forgotten() -> None:
    gateway = Gateway()
    gateway.follow(DETROIT)
    keys = gateway.keys
    opener = keys.opener(DETROIT.gateway, BORDER)
    keys.receive(DETROIT.gateway, grant(1, T0), T0)
    keys.keep_only({(DETROIT.gateway, BORDER)})
    assert opener(1) is not None
    keys.keep_only(set())
    assert opener(1) is None
    assert keys.opener(ME, TAC1)(gateway.epoch) is not None
    keys.receive(DETROIT.gateway, grant(2, T0 + 1), T0)
    assert opener(2) is not None, "an opener is for good"


def test_repr_shows_no_key() -> None:
    gateway = Gateway()
    gateway.follow(DETROIT)
    effect = gateway.published[0]
    assert repr(effect.grant.key) not in repr(effect)
    assert repr(effect.grant.key) not in repr(gateway.keys)


# Any history

EVERYBODY = (SARNIA, DETROIT, BUFFALO, OTTAWA)
HISTORY = st.lists(
    st.tuples(st.sets(st.sampled_from(EVERYBODY)), st.integers(0, 2 * SWITCH_MS), st.booleans()),
    max_size=15,
)


@settings(max_examples=200, deadline=None)
@given(HISTORY)
def test_a_key_in_use_is_held_by_listeners_only(
    history: list[tuple[Collection[Listener], int, bool]],
) -> None:
    """Check at each moment: every holder of the key in use may hear now, and could since it is."""
    gateway = Gateway()
    used: dict[int, list[set[Listener]]] = {}
    for listeners, elapsed, disk in history:
        gateway.disk = disk
        gateway.follow(*listeners)
        check(gateway, set(listeners), used)
        gateway.tick(elapsed)
        check(gateway, set(listeners), used)
        gateway.store()
        check(gateway, set(listeners), used)
    for epoch, sets in used.items():
        holders = {one for one in EVERYBODY if epoch in gateway.given(one)}
        assert all(holders <= listeners for listeners in sets)


def check(gateway: Gateway, listeners: set[Listener], used: dict[int, list[set[Listener]]]) -> None:
    if gateway.sending is None:
        return
    used.setdefault(gateway.epoch, []).append(listeners)
    holders = {one for one in EVERYBODY if gateway.epoch in gateway.given(one)}
    assert holders <= listeners, "somebody without the right to hear holds the key in use"
    if gateway.keys.next_deadline_ms() == gateway.sending.since_ms + KEY_LIFE_MS:
        assert holders == listeners, "somebody with the right to hear has no key"
