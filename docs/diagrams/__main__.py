"""Draw the diagrams of the documentation: `python docs/diagrams`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from diagrams.pictures import IMAGES, PICTURES

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (IMAGES / name).write_text(draw(), "utf-8")
