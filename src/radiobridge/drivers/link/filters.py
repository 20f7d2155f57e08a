"""MQTT topic filters (MQTT 5.0, section 4.7)."""

from functools import lru_cache


@lru_cache(maxsize=4096)
def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether `topic` is one that `topic_filter` (with `+` and `#`) asks for."""
    wanted, given = topic_filter.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        given = given[: len(wanted)]
    if len(wanted) != len(given):
        return False
    return all(w in ("+", g) for w, g in zip(wanted, given, strict=True))
