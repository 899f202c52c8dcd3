"""What is taken from the report example's training program: pictures, variations, kinds, schedule."""

import sys
from pathlib import Path

REPORT = Path(__file__).resolve().parents[2] / "report"
sys.path.append(str(REPORT / "train"))

from augment import SIZE, cut, to_input  # noqa: E402
from prompts import GENERAL  # noqa: E402
from sentences import CLASSES  # noqa: E402
from shape import PATCH, VISION  # noqa: E402
from train import Pictures, schedule  # noqa: E402

__all__ = ["CLASSES", "GENERAL", "PATCH", "REPORT", "SIZE", "VISION", "Pictures", "cut", "schedule", "to_input"]
