"""An Auditor with all that it needs, in virtual time."""

from collections.abc import Mapping

from radiobridge.model.ids import parse_gateway
from radiobridge.services.auditing import Auditor
from radiobridge.services.clock import BridgeTime
from tests.services.consent_world import FakeAudit
from tests.services.fakes import FakeClock, FakeStore

WINDSOR = parse_gateway("ca.opp/windsor")
DETROIT = parse_gateway("us.cbp/detroit")


class Desk:
    """What one gateway logs, and the log."""

    def __init__(self, state: Mapping[str, str] | None = None) -> None:
        self.log = FakeAudit()
        self.store = FakeStore(state)
        self.bridge = BridgeTime(FakeClock(), self.store)
        self.auditor = Auditor(WINDSOR, self.log, self.bridge)

    def whats(self) -> list[str]:
        return [entry.what for entry in self.log.entries]
