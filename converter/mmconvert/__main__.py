"""``python -m mmconvert``."""

import sys

from mmconvert.cli import main

sys.exit(main())
