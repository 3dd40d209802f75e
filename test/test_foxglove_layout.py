"""The Foxglove layout is one, and all that it shows is published by our own nodes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

LAYOUT = Path(__file__).resolve().parent.parent / "config" / "foxglove_expression.json"
TYPES = {  # what each kind of panel of Foxglove can show
    "Image": {"sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"},
    "Plot": {"std_msgs/msg/Float32MultiArray"},
    "RawMessages": {"std_msgs/msg/String"},
    "DiagnosticSummary": {"diagnostic_msgs/msg/DiagnosticArray"},
}


@pytest.fixture(scope="module")
def layout():
    return json.loads(LAYOUT.read_text(encoding="utf-8"))


def panels_in(tree):
    """Return the panels of a layout tree, in which a leaf is a panel's id."""
    if isinstance(tree, str):
        return [tree]
    assert tree["direction"] in ("row", "column") and 0 < tree["splitPercentage"] < 100
    return panels_in(tree["first"]) + panels_in(tree["second"])


def shown(layout):
    """Yield the kind of panel and the topic for everything that is shown."""
    for name, config in layout["configById"].items():
        kind = name.split("!")[0]
        paths = {
            "Image": lambda c: [c["imageMode"]["imageTopic"]],
            "Plot": lambda c: [path["value"] for path in c["paths"]],
            "RawMessages": lambda c: [c["topicPath"]],
            "DiagnosticSummary": lambda c: [c["topicToRender"]],
        }[kind](config)
        yield from ((kind, path.split(".")[0]) for path in paths)


def test_it_is_a_layout_that_foxglove_imports(layout):
    assert {"configById", "globalVariables", "userNodes", "playbackConfig", "layout"} == set(layout)
    placed = panels_in(layout["layout"])
    assert sorted(placed) == sorted(layout["configById"])
    assert all(re.fullmatch(r"\w+!\w+", name) for name in placed)


def test_it_shows_overlay_scores_label_and_diagnostics(layout):
    topics = {topic for _, topic in shown(layout)}
    assert topics >= {
        "/face_emotion/image/compressed", "/face_emotion/scores", "/face_emotion",
        "/robot_face/image", "/diagnostics",
    }  # fmt: skip


def test_the_scores_are_named_as_the_shipped_model_orders_them(layout, shipped_classifier):
    paths = layout["configById"]["Plot!scores"]["paths"]
    assert [path["label"] for path in paths] == list(shipped_classifier.labels)
    expected = [f"/face_emotion/scores.data[{k}]" for k in range(len(paths))]
    assert [path["value"] for path in paths] == expected


def test_every_topic_is_one_that_our_nodes_publish(layout, ros):
    from expression_ros.nodes.mirror.node import Mirror
    from expression_ros.nodes.recognizer.node import Recognizer
    from expression_ros.nodes.robot_face import RobotFace

    nodes = [ros.add(kind(context=ros.context)) for kind in (Recognizer, Mirror, RobotFace)]
    nodes[0].start()
    published = {publisher.topic_name for node in nodes for publisher in node.publishers}
    types = dict(ros.node.get_topic_names_and_types())
    for kind, topic in shown(layout):
        assert topic in published, topic
        assert TYPES[kind] & set(types[topic]), topic
