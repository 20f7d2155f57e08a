"""Voice detection by level."""

import pytest

from radiobridge.errors import LocalProtocolError
from radiobridge.media.vox import Vox, VoxSettings


def heard(levels: list[float], settings: VoxSettings | None = None) -> list[bool]:
    vox = Vox(settings or VoxSettings())
    return [vox.feed(level) for level in levels]


def test_one_loud_frame_is_a_click() -> None:
    assert heard([-70, -10, -70, -10, -70]) == [False] * 5


def test_two_loud_frames_are_voice() -> None:
    assert heard([-70, -30, -30, -70]) == [False, False, True, False]


def test_between_the_thresholds_it_stays_as_it_is() -> None:
    assert heard([-43, -43, -43]) == [False, False, False]
    assert heard([-30, -30, -43, -43, -47, -43]) == [False, True, True, True, False, False]


def test_attack_can_be_one_frame() -> None:
    assert heard([-30], VoxSettings(attack_frames=1)) == [True]


def test_reset_needs_fresh_voice() -> None:
    vox = Vox(VoxSettings())
    vox.feed(-30)
    assert vox.feed(-30)
    vox.reset()
    assert not vox.active
    assert not vox.feed(-43)
    assert not vox.feed(-30)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(LocalProtocolError):
        VoxSettings(open_dbfs=-50, close_dbfs=-40)
    with pytest.raises(LocalProtocolError):
        VoxSettings(attack_frames=0)
