"""The table of stories, and the runner: `python stories.py NAME`, against the service at KEYWARD_ENDPOINT.

`python stories.py` alone prints the names.
"""

import signal
import sys
import time

import attacks
import enforcement
import identities
import limits
import memory
import surroundings
import use
from kit import Missing, World

MODULES = (use, limits, enforcement, identities, surroundings, memory, attacks)
STORIES = {story.__name__: story for module in MODULES for story in module.STORIES}

# Seconds after which a story has hung.
PATIENCE_SECONDS = 240


def hung(*_):
    raise TimeoutError(f"a story has not ended after {PATIENCE_SECONDS} s")


def main(names):
    signal.signal(signal.SIGALRM, hung)
    if not names:
        print("\n".join(STORIES))
    for name in names:
        signal.alarm(PATIENCE_SECONDS)
        started = time.monotonic()
        # The story's files go with it, however it ends.
        with World() as world:
            try:
                STORIES[name](world)
            except Missing as missing:
                print(f"SKIPPED: {name}: there is no {missing}")
                continue
            world.check()
        print(f"{name}: {time.monotonic() - started:.1f} s, {world.cli_calls} calls by the AWS CLI, {len(world.answered)} others")


if __name__ == "__main__":
    main(sys.argv[1:])
