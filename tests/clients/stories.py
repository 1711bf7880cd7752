"""The table of stories, and the runner: `python stories.py NAME`, against the service at KEYWARD_ENDPOINT.

`python stories.py` alone prints the names.
"""

import signal
import sys
import time

import attacks
import enforcement
import limits
import memory
import surroundings
import use
from kit import Missing, World

MODULES = (use, limits, enforcement, surroundings, memory, attacks)
STORIES = {story.__name__: story for module in MODULES for story in module.STORIES}

# Seconds after which a story has hung.
PATIENCE_SECONDS = 240


def main(names):
    if not names:
        print("\n".join(STORIES))
    for name in names:
        signal.alarm(PATIENCE_SECONDS)
        started = time.monotonic()
        world = World()
        try:
            STORIES[name](world)
        except Missing as missing:
            print(f"SKIPPED: {name}: there is no {missing}")
            continue
        world.check()
        print(f"{name}: {time.monotonic() - started:.1f} s, {world.cli_calls} calls by the AWS CLI, {len(world.answered)} others")


if __name__ == "__main__":
    main(sys.argv[1:])
