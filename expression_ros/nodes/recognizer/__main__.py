"""Lets ``python -m expression_ros.nodes.recognizer`` start the node."""

import sys

from expression_ros.nodes.recognizer.node import main

sys.exit(main())
