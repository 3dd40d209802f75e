"""Lets ``python -m expression_ros.nodes.web`` start the node."""

import sys

from expression_ros.nodes.web.node import main

sys.exit(main())
