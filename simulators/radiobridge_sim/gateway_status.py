"""Reading a gateway's status: links, and patches with the reason why they are not in force."""

from collections.abc import Mapping
from typing import Any

from radiobridge.model.ids import PatchId
from radiobridge.text import Text


def linked(status: Mapping[str, Any] | None) -> bool:
    """Tell whether a gateway says that it is connected to all of its brokers."""
    links = (status or {}).get("links") or []
    return bool(links) and all(link.get("up") for link in links)


def patch_in_force(status: Mapping[str, Any] | None, patch: PatchId) -> bool:
    """Tell whether a gateway says that the patch is in force."""
    return bool((_patch(status, patch) or {}).get("in_force"))


def patch_why(status: Mapping[str, Any] | None, patch: PatchId) -> Text | None:
    """Return why the patch is as it is, in the gateway's words; None when it says nothing."""
    why = (_patch(status, patch) or {}).get("why")
    return Text(str(why.get("en")), str(why.get("fr"))) if isinstance(why, dict) else None


def _patch(status: Mapping[str, Any] | None, patch: PatchId) -> Mapping[str, Any] | None:
    patches = (status or {}).get("patches") or []
    return next((p for p in patches if p.get("id") == patch), None)
