"""Runs stories by their names, each with its own world; without names it prints which there are."""

import signal
import sys
import time

from kit import Missing, World

# Seconds after which a story has hung.
PATIENCE_SECONDS = 240


def hung(*_):
    raise TimeoutError(f"a story has not ended after {PATIENCE_SECONDS} s")


def main(*told):
    stories = {story.__name__: story for story in told}
    names = sys.argv[1:]
    signal.signal(signal.SIGALRM, hung)
    if not names:
        print("\n".join(stories))
    for name in names:
        signal.alarm(PATIENCE_SECONDS)
        started = time.monotonic()
        # The story's files go with it, however it ends.
        with World() as world:
            try:
                stories[name](world)
            except Missing as missing:
                print(f"SKIPPED: {name}: there is no {missing}")
                continue
            world.check()
        print(f"{name}: {time.monotonic() - started:.1f} s, {world.cli_calls} calls by the AWS CLI, {len(world.answered)} others")
