"""Running the realistic demonstration from start to a clean end."""

import tempfile
from pathlib import Path

from radiobridge.errors import RadioBridgeError
from radiobridge.text import Text
from radiobridge_sim import stage
from radiobridge_sim.demo.outcome import Told
from radiobridge_sim.demo.progress import Progress
from radiobridge_sim.demo.realistic.plan import make_plan
from radiobridge_sim.demo.realistic.record import show_sheets, write_record
from radiobridge_sim.demo.realistic.sides import realistic_sides
from radiobridge_sim.demo.realistic.story import RealisticStory
from radiobridge_sim.network import Network
from radiobridge_sim.world import World

MINUTES = 10.0


def run_realistic(
    progress: Progress, out: Path | None, *, minutes: float, seed: int, once: bool
) -> tuple[RealisticStory, RadioBridgeError | None]:
    """Play it; return what came of it, and what ended it before its time.

    Without `once` calls then go on until a signal ends them.
    """
    failure: RadioBridgeError | None = None
    progress.note(Text(f"seed {seed}, {minutes:g} minutes", f"graine {seed}, {minutes:g} minutes"))
    with tempfile.TemporaryDirectory(
        prefix="radiobridge-demo-", dir=stage.short_folder()
    ) as folder:
        world = World(Path(folder), realistic_sides(seed), network=Network(seed))
        told = Told.IN_PART
        story = RealisticStory(world, progress, make_plan(minutes, seed))
        try:
            world.start(progress.doing)
            story.play()
            if not once:
                story.judge_keys()
                told = Told.WHOLE
                story.go_on()
            world.stop_gateways()
            world.pause(0.5)
            story.finish()
            show_sheets(story)
            told = Told.WHOLE
        except RadioBridgeError as error:
            failure = error
        finally:
            stage.ignore_signals()
            progress.close()
            world.stop()
            if out is not None:
                write_record(out, story, told, failure, progress.language)
    return story, failure
