"""``python -m mmconvert``."""

import sys

from mmconvert.cli.main import main

sys.exit(main())
