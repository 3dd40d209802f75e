"""Lets ``python -m expression_ros.nodes.mirror`` start the node."""

import sys

from expression_ros.nodes.mirror.node import main

sys.exit(main())
