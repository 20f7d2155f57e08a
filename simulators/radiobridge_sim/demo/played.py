"""What every story keeps for its report: what was said, how it was heard, and what held."""

from radiobridge_sim.demo.exchange import Exchange
from radiobridge_sim.demo.progress import Progress
from radiobridge_sim.demo.report import StepResult
from radiobridge_sim.handheld import Said
from radiobridge_sim.world import World


class Played:
    """A story in a world, told on a terminal."""

    def __init__(self, world: World, progress: Progress) -> None:
        self.world = world
        self.progress = progress
        self.results: list[StepResult] = []
        self.exchanges: list[Exchange] = []
        self.said: list[Said] = []

    @property
    def held(self) -> bool:
        """Tell whether there is something to tell, and all of it held."""
        return bool(self.results) and all(result.ok for result in self.results)

    def _add(self, result: StepResult) -> None:
        self.results.append(result)
        self.progress.step(result)
