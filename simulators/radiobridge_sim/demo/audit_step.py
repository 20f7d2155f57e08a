"""The end of the story: both audit logs are whole, also against what the other side holds."""

from pathlib import Path

from radiobridge.cli.audit_heads import heads_of
from radiobridge.core.audit_chain import HeldHead, parse_head, verify
from radiobridge.core.audit_findings import Verdict
from radiobridge.drivers.store.audit_file import copy_log, read_log
from radiobridge.errors import RadioBridgeError
from radiobridge.text import Text
from radiobridge_sim.agencies import Side
from radiobridge_sim.demo.report import StepResult
from radiobridge_sim.world import World

AUDIT_FILE = "audit.db"


def audit_verified(world: World) -> StepResult:
    """Verify both logs against the heads that the other gateway holds; both have ended."""
    told, ok = [], True
    for side in world.sides:
        text, whole = _verified(world, side)
        told.append(text)
        ok = ok and whole
    return StepResult(
        id="audit-verified",
        title=Text("Both audit logs are whole", "Les deux journaux d'audit sont intacts"),
        expected=Text(
            "every entry in its place, also against the partner's heads",
            "chaque entrée à sa place, aussi face aux têtes du partenaire",
        ),
        measured=Text("; ".join(one.en for one in told), "; ".join(one.fr for one in told)),
        ok=ok,
    )


def keep_logs(world: World, out: Path) -> None:
    """Leave both logs in `out`, for `radiobridge audit`; the gateways have ended."""
    for side in world.sides:
        log = _log(world, side)
        if log.exists():
            copy_log(log, out / f"{str(side.gateway).replace('/', '-')}.{AUDIT_FILE}")


def _verified(world: World, side: Side) -> tuple[Text, bool]:
    name = str(side.gateway)
    try:
        heads = _held(world, world.other(side), name)
        verdict = verify(read_log(_log(world, side)), heads)
    except RadioBridgeError as error:
        return Text(f"{name}: {error.text.en}", f"{name} : {error.text.fr}"), False
    return _told(name, verdict, len(heads)), verdict.ok and verdict.entries > 0 and bool(heads)


def _held(world: World, holder: Side, whose: str) -> list[HeldHead]:
    """Return the heads of `whose` that the gateway of `holder` has kept."""
    _, lines = heads_of(world.gateway(holder).config)
    pairs = [line.split() for line in lines]
    return [
        HeldHead(head=parse_head(value.partition("@")[0]), holder=str(holder.gateway))
        for gateway, value in pairs
        if gateway == whose
    ]


def _told(name: str, verdict: Verdict, heads: int) -> Text:
    if not verdict.ok:
        found = verdict.findings[0].text
        return Text(f"{name}: {found.en}", f"{name} : {found.fr}")
    return Text(
        f"{name}: {verdict.entries} entries, {heads} heads",
        f"{name} : {verdict.entries} entrées, {heads} têtes",
    )


def _log(world: World, side: Side) -> Path:
    return world.home(side) / "state" / AUDIT_FILE
