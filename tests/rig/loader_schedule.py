"""Random schedules for the loader: what an owner, the clock, loads and requests may do, in any order.

A schedule is drawn before it is played, and no step depends on the ones before it: whichever steps are left out, the
rest is a schedule too.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from mmdaemon.folder.snapshot import Snapshot
from rig.loader_world import World

NAMES = ("flat", "many", "mixed")  # a flat file, version folders, and both
ANCHOR = "anchor"  # lies in the folder all the time, so that it is never empty unless its mount is lost
_STEPS = 80


@dataclass(frozen=True, slots=True)
class Step:
    """One event, and whether the daemon looks at the folder after it.

    Attributes:
        event: One of ``EVENTS``.
        name: The model that it is about, if it is about one.
        version: The version, None for the flat file.
        content: The bytes, for an event that writes some.
        chance: Decides what the event leaves open, from 0 to 1.
        is_seen: Whether a look follows.
    """

    event: str
    name: str
    version: int | None
    content: int
    chance: float
    is_seen: bool


def draw(seed: int) -> list[Step]:
    """Return the schedule of a seed.

    Each has names and events that it prefers, and events that it never has: rare combinations come up more often so
    than when every event is possible everywhere.
    """
    dice = random.Random(seed)
    names = dice.sample(NAMES, dice.randint(1, len(NAMES)))
    weights = {event: weight * dice.choice((0, 1, 1, 3)) for event, (weight, _) in EVENTS.items()}
    return [_draw_step(dice, names, weights, index) for index in range(1, _STEPS + 1)]


def _draw_step(dice: random.Random, names: list[str], weights: dict[str, int], index: int) -> Step:
    [event] = dice.choices([*weights], [*weights.values()])
    name = dice.choice(names)
    is_flat = name == "flat" or (name == "mixed" and dice.random() < 0.4)
    version = None if is_flat else dice.randint(1, 4)
    content = dice.randint(1, index) if dice.random() < 0.3 else index  # now and then bytes that came before
    return Step(event, name, version, content, dice.random(), dice.random() < 0.75)


class Events:
    """What may happen in a world. Each event returns a line for the diary, empty when it changed nothing."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.folder = world.folder

    def copy(self, step: Step) -> str:
        self.folder.copy(step.name, step.version, step.content)
        return f"cp the bytes {step.content} to {_place(step)}"

    def delete(self, step: Step) -> str:
        if step.version not in self.folder.versions(step.name):
            return ""
        self.folder.delete(step.name, step.version)
        return f"rm {_place(step)}"

    def delete_all(self, step: Step) -> str:
        for version in self.folder.versions(step.name):
            self.folder.delete(step.name, version)
        return f"rm all of {step.name}"

    def bring_back(self, step: Step) -> str:
        is_there = self.folder.bring_back(step.name, step.version)
        return f"mv what was there before back to {_place(step)}" if is_there else ""

    def rename(self, step: Step) -> str:
        to = 1 + int(step.chance * 4)
        is_done = step.version is not None and self.folder.rename(step.name, step.version, to)
        return f"mv {_place(step)} {step.name}/{to}" if is_done else ""

    def link(self, step: Step) -> str:
        to = 1 + int(step.chance * 4)
        is_done = step.version is not None and self.folder.link(step.name, step.version, to)
        return f"ln -s: {_place(step)} and {step.name}/{to} lead to one file" if is_done else ""

    def write_options(self, step: Step) -> str:
        threads = int(step.chance * 5) - 1
        if threads < 0:
            self.folder.options.pop(step.name, None)
            return f"rm {step.name}.toml"
        self.folder.write_options(step.name, threads)
        return f"{step.name}.toml: {f'threads = {threads}' if threads else 'a slip'}"

    def write_labels(self, step: Step) -> str:
        self.folder.write_labels(step.name)
        return f"{step.name}.labels.txt is written"

    def spoil(self, step: Step) -> str:
        hides_all, is_stray = step.chance < 0.3, step.chance > 0.8
        may_pass = int(step.chance * 100) % 2 == 0
        self.folder.spoil(step.name, 0 if is_stray else step.version, hides_all, may_pass)
        place = step.name if hides_all else f"{step.name}/latest" if is_stray else _place(step)
        return f"{place} cannot be used{', for now' if may_pass else ''}"

    def mend(self, step: Step) -> str:
        return f"all of {step.name} can be used" if self.folder.problems.pop(step.name, None) else ""

    def write_slowly(self, step: Step) -> str:
        source = self.folder.files.get((step.name, step.version))
        if source is None:
            return ""
        self.folder.settling.add(source.path)
        return f"somebody writes to {_place(step)}"

    def stop_writing(self, _: Step) -> str:
        self.folder.settling.clear()
        return "nobody writes to a file"

    def lose_folder(self, _: Step) -> str:
        self.folder.is_available = not self.folder.is_available
        return f"the folder can{'' if self.folder.is_available else 'not'} be read"

    def lose_mount(self, _: Step) -> str:
        self.folder.is_mounted = not self.folder.is_mounted
        return f"the folder is {'mounted' if self.folder.is_mounted else 'empty: its mount is lost'}"

    def unload(self, step: Step) -> str:
        if step.name not in self.world.registry:
            return ""
        self.world.unload(step.name)
        return f"mmctl unload {step.name}"

    def load(self, step: Step) -> str:
        if step.name not in self.world.registry:
            return ""
        self.world.load(step.name)
        return f"mmctl load {step.name}"

    def copy_bytes(self, step: Step) -> str:
        if not self.world.loads:
            return ""
        load = self.world.loads[int(step.chance * len(self.world.loads))]
        self.world.copy_bytes(load)
        return f"the load of {load.candidate.name} has its bytes in the store"

    def end_load(self, step: Step) -> str:
        if self.world.loads:
            load = self.world.loads[int(step.chance * len(self.world.loads))]
            self.world.end_load(load, is_unlucky=int(step.chance * 100) % 7 == 0)
        return ""

    def begin_request(self, step: Step) -> str:
        return f"a request for {step.name} begins" if self.world.lease(step.name) else ""

    def end_request(self, _: Step) -> str:
        if not self.world.leases:
            return ""
        self.world.end_lease()
        return "a request ends"

    def restart(self, _: Step) -> str:
        self.world.records.write_down()
        self.world.start_daemon()
        return "the daemon starts anew"

    def wait_shortly(self, step: Step) -> str:
        self.world.now += 4 * step.chance
        return ""

    def wait_long(self, step: Step) -> str:
        self.world.now += 40 * step.chance
        return ""


# Each event with its weight: how often it is drawn, beside the others.
EVENTS: dict[str, tuple[int, Callable[[Events, Step], str]]] = {
    "copy": (16, Events.copy),
    "delete": (7, Events.delete),
    "delete_all": (3, Events.delete_all),
    "bring_back": (2, Events.bring_back),
    "rename": (5, Events.rename),
    "link": (2, Events.link),
    "write_options": (4, Events.write_options),
    "write_labels": (2, Events.write_labels),
    "spoil": (3, Events.spoil),
    "mend": (3, Events.mend),
    "write_slowly": (4, Events.write_slowly),
    "stop_writing": (3, Events.stop_writing),
    "lose_folder": (2, Events.lose_folder),
    "lose_mount": (2, Events.lose_mount),
    "unload": (4, Events.unload),
    "load": (5, Events.load),
    "copy_bytes": (4, Events.copy_bytes),
    "end_load": (17, Events.end_load),
    "begin_request": (2, Events.begin_request),
    "end_request": (1, Events.end_request),
    "restart": (2, Events.restart),
    "wait_shortly": (10, Events.wait_shortly),
    "wait_long": (10, Events.wait_long),
}

# Checks a world after an event or a look. Takes the versions that served before and must go on, and what the look saw.
Check = Callable[[World, dict[str, int], Snapshot | None], None]


def play(world: World, schedule: list[Step], check: Check) -> None:
    """Play a schedule, and let everything settle at its end."""
    events = Events(world)
    world.folder.copy(ANCHOR, None, 4)
    _look(world, check)
    for step in schedule:
        before = _serving(world)
        if text := EVENTS[step.event][1](events, step):
            world.note(text)
        if step.event == "restart":
            before.clear()
        elif step.event == "unload":
            del before[step.name]
        check(world, before, None)
        if step.is_seen:
            _look(world, check)
    _settle(world, check)


def _settle(world: World, check: Check) -> None:
    """Mend the folder, and let the daemon do whatever it still has to do.

    Raises:
        AssertionError: There is no end to it.
    """
    folder = world.folder
    folder.is_available = folder.is_mounted = world.is_kind = True
    folder.problems.clear()
    folder.settling.clear()
    for name in NAMES:
        if len(versions := folder.versions(name)) > 1 and None in versions:
            folder.delete(name, None)
    while world.leases:
        world.end_lease()
    world.note("everything settles")
    idle_looks = 0
    for _ in range(100):
        world.now += 400
        _look(world, check)
        idle_looks = 0 if world.loads else idle_looks + 1
        if idle_looks > 3:
            return
        while world.loads:
            before = _serving(world)
            world.end_load(world.loads[0])
            check(world, before, None)
    raise AssertionError("the loader goes on loading without end")


def _look(world: World, check: Check) -> None:
    before = _serving(world)
    world.note("  look")
    snapshot = world.look()
    check(world, before, snapshot)


def _serving(world: World) -> dict[str, int]:
    return {name: world.serving(name) for name in (ANCHOR, *NAMES)}


def _place(step: Step) -> str:
    return f"{step.name}.tflite" if step.version is None else f"{step.name}/{step.version}"
