"""What each link may use up in a second, so that no link uses up what the others need."""

MAX_LINKS = 8
"""Links with a bucket of their own; further ones share one."""

_OTHERS = ""


class Bucket:
    """Allows `rate` things a second, and as many at once."""

    __slots__ = ("_at", "_left", "_rate")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._left = float(rate)
        self._at: float | None = None

    def empty(self, now: float) -> bool:
        """Tell whether nothing is left at `now` (monotonic s)."""
        if self._at is not None:
            gained = max(0.0, now - self._at) * self._rate
            self._left = min(float(self._rate), self._left + gained)
        self._at = now
        return self._left < 1.0

    def take(self) -> None:
        """Use one up."""
        self._left -= 1.0


class LinkBuckets:
    """A bucket for each link, made when it is first asked for; at most `MAX_LINKS` and one."""

    __slots__ = ("_buckets", "_rate")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._buckets: dict[str, Bucket] = {}

    def of(self, link: str) -> Bucket:
        """Return the bucket of a link."""
        bucket = self._buckets.get(link)
        if bucket is None:
            key = link if len(self._buckets) < MAX_LINKS else _OTHERS
            bucket = self._buckets.setdefault(key, Bucket(self._rate))
        return bucket
