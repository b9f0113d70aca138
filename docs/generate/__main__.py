"""Fill the reference pages from the code: `python docs/generate`. With --check, only print the stale ones."""

import sys
from pathlib import Path

# The folder docs is not a package: its modules are scripts of the project and are never installed.
sys.path.insert(0, str(Path(__file__).parents[1]))
# What the tests measure is measured by the tests' own code.
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from generate.pages import stale, write

if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        stale_pages = stale()
        print("\n".join(f"stale: {path}" for path in stale_pages) or "every reference page is current")
        sys.exit(1 if stale_pages else 0)
    for path in write():
        print(f"wrote {path}")
