"""A process of ``scorer collector``, which starts it: ``python -m scorer.collector``."""

import sys

from scorer.collector.child import main

sys.exit(main())
