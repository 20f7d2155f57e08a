import pytest

from radiobridge.model.ids import PatchId
from radiobridge.text import Text
from radiobridge_sim.gateway_status import linked, patch_in_force, patch_why

PATCH = PatchId("river-1")
STATUS = {
    "links": [{"name": "one", "up": True}, {"name": "two", "up": True}],
    "patches": [
        {"id": "other", "in_force": True},
        {
            "id": "river-1",
            "in_force": False,
            "why": {"en": "waits for us.cbp", "fr": "attend us.cbp"},
        },
    ],
}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, False),
        ({}, False),
        ({"links": []}, False),
        ({"links": [{"up": True}, {"up": False}]}, False),
        (STATUS, True),
    ],
)
def test_linked_only_when_every_link_is_up(
    status: dict[str, object] | None, expected: bool
) -> None:
    assert linked(status) is expected


def test_a_patch_is_read_by_its_id() -> None:
    assert not patch_in_force(STATUS, PATCH)
    assert patch_in_force(STATUS, PatchId("other"))
    assert patch_why(STATUS, PATCH) == Text("waits for us.cbp", "attend us.cbp")


@pytest.mark.parametrize("status", [None, {}, {"patches": []}])
def test_an_unknown_patch_is_not_in_force(status: dict[str, object] | None) -> None:
    assert not patch_in_force(status, PATCH)
    assert patch_why(status, PATCH) is None
