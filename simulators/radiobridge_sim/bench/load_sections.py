"""What a soak and a flood came to, as figures with their targets."""

from dataclasses import replace

from radiobridge.text import Text
from radiobridge_sim.bench.flood import FloodResult, Target
from radiobridge_sim.bench.path import Lateness
from radiobridge_sim.bench.report import Figure, Section
from radiobridge_sim.bench.soak import Holding, SoakResult, Voice

GROWTH_PERCENT = 2.0
"""Issue 4: memory after the warm-up."""

CONCEALED_PERCENT = 1.0
"""Issue 4: frames concealed while a broker floods."""

LATE_PERCENT = 0.1
"""Frames that were not there when they were due, on machines that have nothing else to do."""


def soak_sections(result: SoakResult) -> list[Section]:
    """Return what a soak came to."""
    title = Text(f"voice, {result.over_s:.0f} s", f"voix, {result.over_s:.0f} s")
    late = tuple(_late(name, one) for name, one in result.lateness.items())
    return [
        Section(title=title, figures=(*_voice("soak", result.voice, LATE_PERCENT), *late)),
        *(_holding(one) for one in result.holdings),
    ]


def calm_section(voice: Voice) -> Section:
    """Return what became of the voice without a flood, on the same machine just before."""
    return Section(
        title=Text("without a flood", "sans inondation"),
        figures=tuple(replace(one, limit=None) for one in _voice("flood.none", voice, 0.0)),
    )


def flood_section(result: FloodResult) -> Section:
    """Return what a flood came to."""
    start = f"flood.{result.target}"
    title = {
        Target.VOICE: Text("flood on a voice topic", "inondation d'un sujet de voix"),
        Target.DOCUMENTS: Text(
            "flood on a topic of documents", "inondation d'un sujet de documents"
        ),
    }[result.target]
    rate = Text("garbage sent", "paquets parasites envoyés")
    taken = Text("handed over to the gateways", "remis aux passerelles")
    return Section(
        title=title,
        figures=(
            Figure(id=f"{start}.sent", name=rate, value=result.sent.rate, unit="/s"),
            Figure(
                id=f"{start}.taken", name=taken, unit="/s",
                value=result.delivered / result.sent.over_s,
            ),
            *_voice(start, result.voice, CONCEALED_PERCENT),
            *(
                Figure(
                    id=f"{start}.cpu.{_id(name)}",
                    name=Text(f"{name}, CPU", f"{_french(name)}, processeur"),
                    value=100.0 * share,
                    unit="%",
                )
                for name, share in result.cpu.items()
            ),
            *(
                Figure(
                    id=f"{start}.waited.{_id(name)}",
                    name=Text(f"{name}, waiting for a CPU",
                              f"{_french(name)}, attente d'un processeur"),
                    value=100.0 * share,
                    unit="%",
                )
                for name, share in result.waited.items()
            ),
        ),
    )  # fmt: skip


def _voice(start: str, voice: Voice, limit: float) -> tuple[Figure, ...]:
    return (
        Figure(
            id=f"{start}.not-delivered",
            name=Text(
                f"spurts of {voice.spurts} that keyed not exactly once",
                f"messages sur {voice.spurts} sans exactement une émission",
            ),
            value=float(abs(voice.spurts - voice.delivered)) if voice.spurts else None,
            unit="",
            limit=0.0,
        ),
        Figure(
            id=f"{start}.concealed",
            name=Text("frames concealed", "trames remplacées"),
            value=100.0 * voice.concealed,
            unit="%",
            limit=limit,
        ),
        Figure(
            id=f"{start}.gaps",
            name=Text("gaps that the far radios had", "silences des radios d'en face"),
            value=float(voice.underruns),
            unit="",
        ),
    )


def _holding(one: Holding) -> Section:
    start, more = f"soak.{_id(one.name)}", Text("more at the end", "de plus à la fin")
    figures = [
        Figure(
            id=f"{start}.memory",
            name=Text("memory", "mémoire"),
            value=one.memory_kb[1] / 1024.0,
            unit="MB",
        ),
        Figure(
            id=f"{start}.memory-growth",
            name=Text("memory, growth", "mémoire, croissance"),
            value=100.0 * one.memory_growth,
            unit="%",
            limit=GROWTH_PERCENT,
        ),
    ]
    counts = {
        "tasks": (Text("tasks", "tâches"), one.more_tasks),
        "threads": (Text("threads", "fils"), one.more_threads),
        "files": (Text("file handles", "descripteurs de fichiers"), one.more_files),
    }
    for word, (what, value) in counts.items():
        if value is not None:
            name = Text(f"{what.en}, {more.en}", f"{what.fr}, {more.fr}")
            figures.append(Figure(id=f"{start}.{word}", name=name, value=value, unit="", limit=0.0))
    for word, name, value in (
        ("cpu", Text("CPU for each second", "processeur par seconde"), one.cpu_ms),
        ("waited", Text("waiting for a CPU", "attente d'un processeur"), one.waited_ms),
    ):
        figures.append(Figure(id=f"{start}.{word}", name=name, value=value, unit="ms"))
    return Section(title=Text(one.name, _french(one.name)), figures=tuple(figures))


def _late(gateway: str, late: Lateness) -> Figure:
    return Figure(
        id=f"soak.late.{gateway.replace('/', '.')}",
        name=Text(f"{gateway}: event loop over 5 ms late",
                  f"{gateway} : boucle en retard de plus de 5 ms"),
        value=100.0 * late.over_ms.get(5, 0) / late.fired if late.fired else None,
        unit="%",
    )  # fmt: skip


def _id(name: str) -> str:
    return name.replace(" ", ".").replace("/", ".")


def _french(name: str) -> str:
    return (
        name.replace("gateway", "passerelle")
        .replace("broker", "courtier")
        .replace("flood", "inondation")
    )
