"""Gateways of several agencies in a patch, with all that they know of emergencies."""

from typing import Any

from radiobridge.core.emergency import ESCALATE_MS
from radiobridge.model.ids import RadioName, TalkgroupId
from radiobridge.services.auditing import Auditor
from radiobridge.services.emergency import Emergency
from radiobridge.services.papers import Papers
from tests.services.consent_world import ConsentWorld, Site, settle
from tests.services.radios import make_timer
from tests.services.virtual_time import turns
from tests.wire.people import person


class Desk:
    """The emergencies of one site, and who works there."""

    def __init__(self, site: Site, by: str, escalate_ms: int = ESCALATE_MS) -> None:
        me = person(str(site.id))
        self.site = site
        self.by = by
        self.reranked = 0
        papers = Papers(site.id, signing_key=me.signing, hpke_key=me.hpke, bridge=site.bridge)
        papers.links = site.links
        self.emergency = Emergency(
            site.id,
            agreements=lambda: site.agreements,
            bridge=site.bridge,
            papers=papers,
            directory=site.directory,
            store=site.store,
            auditor=Auditor(site.id, site.audit, site.bridge),
            rerank=self._rerank,
            radio_of=lambda talkgroup: RadioName(talkgroup.name.lower()),
            make_timer=make_timer,
            escalate_ms=escalate_ms,
        )
        site.control.intake.ports.emergency = self.emergency.heard
        site.control.patches_changed = self.emergency.follow
        self.emergency.start()
        site.control.refresh()

    def _rerank(self) -> None:
        self.reranked += 1

    async def raise_alarm(self, talkgroup: str = "TAC1", **more: Any) -> dict[str, Any]:
        answer = await self.emergency.raise_alarm({"talkgroup": talkgroup, **more}, self.by)
        await turns(5)
        return answer

    async def acknowledge(self, alarm: str, **more: Any) -> dict[str, Any]:
        answer = await self.emergency.acknowledge(alarm, more or None, self.by)
        await turns(5)
        return answer

    async def clear(self, alarm: str, verdict: str = "valid", **more: Any) -> dict[str, Any]:
        request = {"verdict": verdict, "reason": "over", **more}
        answer = await self.emergency.clear(alarm, request, self.by)
        await turns(5)
        return answer

    async def decide(self, verb: str, talkgroup: str, talker: str) -> dict[str, Any]:
        request = {"talkgroup": talkgroup, "talker": talker}
        answer = await self.emergency.decide(verb, request, self.by)
        await turns(5)
        return answer

    def alarms(self) -> list[tuple[str, str, bool]]:
        """Return id, stage and rank of the alarms, as shown."""
        return [(a["id"], a["stage"], a["rank"]) for a in self.emergency.list_alarms()]

    def alarm(self, id_: str) -> dict[str, Any]:
        return next(one for one in self.emergency.list_alarms() if one["id"] == id_)

    def has_rank(self, talkgroup: TalkgroupId) -> bool:
        return self.emergency.ranks.alarm_open(talkgroup)

    def told(self, what: str) -> list[dict[str, Any]]:
        """Return the details of what the audit log was told."""
        return [dict(entry.detail) for entry in self.site.audit.told(what)]


class AlarmWorld:
    """Sites that are all in the patch `river`, each with a desk."""

    def __init__(self, consent: ConsentWorld, escalate_ms: int) -> None:
        self.consent = consent
        self._escalate_ms = escalate_ms
        self.desks = {name: self._desk(site) for name, site in consent.sites.items()}

    def __getitem__(self, name: str) -> Desk:
        return next(d for full, d in self.desks.items() if name in (full, d.site.id.name))

    def _desk(self, site: Site) -> Desk:
        return Desk(site, f"local:{site.id.name}", self._escalate_ms)

    async def restart(self, name: str) -> Desk:
        """Kill a gateway and start it with what is on its disk."""
        site = self[name].site
        self[name].emergency.stop()
        site.stop()
        await site.start()
        self.desks[str(site.id)] = self._desk(site)
        await settle()
        return self[name]

    async def join(self, *members: str) -> None:
        """Agree on the patch `river`; the first member's agency hosts it."""
        first, *others = {member.partition("/")[0]: None for member in members}
        sites = {str(site.agency): site for site in reversed(self.consent.sites.values())}
        what = [{"talkgroup": member, "max_class": "emergency"} for member in members]
        await sites[first].propose("river", *what)
        for agency in others:
            await sites[agency].accept("river")
        await settle()
        assert self.consent.reasons("river") == {"in-force"}


async def alarm_world(*names: str, escalate_ms: int = ESCALATE_MS) -> AlarmWorld:
    """Return a running world without a patch."""
    made = ConsentWorld(*names)
    await made.start()
    return AlarmWorld(made, escalate_ms)
