"""The table of stories: `python stories.py NAME`, against the service at KEYWARD_ENDPOINT.

`python stories.py` alone prints the names.
"""

import attacks
import enforcement
import identities
import key_stores
import limits
import materials
import memory
import runner
import surroundings
import trail_files
import use

MODULES = (use, materials, key_stores, limits, enforcement, identities, surroundings, memory, trail_files, attacks)

if __name__ == "__main__":
    runner.main(*(story for module in MODULES for story in module.STORIES))
