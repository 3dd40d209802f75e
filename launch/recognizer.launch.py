"""Starts the recognizer and the mirror and, by arguments, a camera and the virtual face.

ros2 launch expression_ros recognizer.launch.py camera:=0 face:=true
ros2 launch expression_ros recognizer.launch.py image_topic:=/camera/color/image_raw
ros2 launch expression_ros recognizer.launch.py cameras:=front,left
ros2 launch expression_ros recognizer.launch.py --show-args
"""

import os
import re

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    GroupAction,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.events import matches_action
from launch.events.process import ShutdownProcess
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node, PushRosNamespace
from launch_ros.parameter_descriptions import ParameterValue

PACKAGE = "expression_ros"

ARGUMENTS = (
    ("camera", "none", "Camera to start: none, a webcam (0, /dev/video0), a video file, a folder "
     "of images."),
    ("loop", "", "Whether a video file or folder starts again at its end; empty: as in params_file "
     "(true)."),
    ("image_topic", "image_raw", "Image topic to read; also the one the started camera publishes."),
    ("cameras", "", "Several cameras, as in front,left: for each a recognizer in that namespace, "
     "which reads <name>/<image_topic>, and one selector, which passes the surest one on to the "
     "mirror. Their drivers are started apart."),
    ("image_transport", "", "raw, or compressed to read <image_topic>/compressed; empty: as in "
     "params_file."),
    ("robot", "", "Robot to mirror onto: a name from config/robots (expression-ros robots lists "
     "them) or a YAML file; empty: as in params_file (virtual_face)."),
    ("style", "", "How emotions are answered: mirror, empathic or a YAML file; empty: as in "
     "params_file (mirror)."),
    ("classifier", "", "How faces are read; empty: as in params_file (fisherfaces)."),
    ("model", "", "Folder with the classifier's model; empty: as in params_file (shipped)."),
    ("detector", "", "How faces are found: cascades, yunet or centerface; empty: as in params_file "
     "(cascades)."),
    ("detector_model", "", "ONNX file with the weights of yunet or centerface; empty: as in "
     "params_file."),
    ("detector_sha256", "", "SHA-256 of that file, where it is none that is known; empty: as in "
     "params_file."),
    ("person", "", "Whom the recognizer is adapted to, a name from expression-ros calibrate; "
     "empty: as in params_file (nobody)."),
    ("region", "", "Which part of a face is read: full, upper (without the mouth) or auto; empty: "
     "as in params_file (full)."),
    ("params_file", "", "YAML file with parameters for the nodes; empty for the shipped "
     "config/expression.yaml."),
    ("namespace", "", "Namespace of all nodes and relative topics."),
    ("mirror", "true", "Whether to start the mirror."),
    ("face", "false", "Whether to start the virtual face (/robot_face/image)."),
    ("web", "false", "Whether to start the page in the browser (http://127.0.0.1:8080/)."),
    ("autostart", "", "Whether the recognizer configures and activates itself; empty: as in "
     "params_file (true)."),
    ("network", "false", "Whether other computers can see the nodes and their topics; if not, they "
     "stay on this machine, unless ROS_AUTOMATIC_DISCOVERY_RANGE or ROS_LOCALHOST_ONLY says else; "
     "never: whatever these say."),
    ("respawn", "true", "Whether a node is started again two seconds after it fails; one that ends "
     "by itself, or cannot run as told, is not."),
    ("required", "true", "Whether the launch ends, with an exit code other than 0, when a node "
     "fails and is not started again; false, for a file that includes this one: the others go on. "
     "The page never ends it."),
    ("log_level", "info", "Log level of the nodes and of the ROS libraries below them."),
)  # fmt: skip
RESPAWN_DELAY_S = 2.0
MISCONFIGURED = 2  # exit code of a node whose parameters cannot be used
CHOICES = {"log_level": ["debug", "info", "warn", "error", "fatal"]}


def generate_launch_description():
    declarations = [
        DeclareLaunchArgument(
            name, default_value=default, description=description, choices=CHOICES.get(name)
        )
        for name, default, description in ARGUMENTS
    ]
    return LaunchDescription([*declarations, OpaqueFunction(function=nodes)])


def nodes(context):
    """Return the nodes that the arguments ask for, in the namespace they ask for."""
    value = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    params_file = parameters_path(value["params_file"])
    names = camera_names(value)
    common = {
        "package": PACKAGE,
        "output": "screen",
        "arguments": ["--ros-args", "--log-level", value["log_level"]],
        "additional_env": environment(value, context.environment),
        "respawn": truth("respawn", value["respawn"]),
        "respawn_delay": RESPAWN_DELAY_S,
    }
    actions = recognizers(value, names, params_file, common)
    if names:
        actions.append(
            Node(
                executable="emotion_selector",
                name="emotion_selector",
                parameters=[params_file, {"sources": text("sources", ",".join(names))}],
                **common,
            )
        )
    if truth("mirror", value["mirror"]):
        actions.append(
            Node(
                executable="mirror",
                name="mirror",
                parameters=[params_file, *given(value, text, "robot", "style")],
                **common,
            )
        )
    if truth("face", value["face"]):
        actions.append(
            Node(executable="robot_face", name="robot_face", parameters=[params_file], **common)
        )
    required = truth("required", value["required"])
    handlers = [when_it_ends(one, common["respawn"], required) for one in actions]
    if truth("web", value["web"]):
        # With several cameras, the overlay of the first; camera images only to calibrate.
        overlay = "face_emotion/image/compressed"
        page = Node(
            executable="web",
            name="web",
            remappings=[
                ("image", "/".join([*names[:1], value["image_topic"]])),
                *[(overlay, f"{name}/{overlay}") for name in names[:1]],
            ],
            parameters=[params_file, *given(value, text, "model", "image_transport")],
            **common,
        )
        actions.append(page)
        handlers.append(when_it_ends(page, common["respawn"], required=False))
    if value["camera"] != "none":
        camera = Node(
            executable="camera",
            name="camera",
            remappings=[("image_raw", value["image_topic"])],
            parameters=[
                params_file,
                {"source": text("camera", value["camera"])},
                *given(value, truth, "loop"),
            ],
            **common,
        )
        actions.append(camera)
        handlers.append(when_it_ends(camera, common["respawn"], required))
    return [*handlers, GroupAction([PushRosNamespace(value["namespace"]), *actions])]


def when_it_ends(node, respawn, required):
    """Return what decides, when this node ends, whether it stays ended and the launch goes on.

    launch would start a node again whatever it ended with: also a camera whose file is at its end.
    """

    def decide(event, context):
        if context.is_shutdown:
            return None
        if event.returncode not in (0, MISCONFIGURED) and respawn:
            return None  # it is started again after RESPAWN_DELAY_S
        if event.returncode == 0:
            told = f"{event.process_name} has ended and is not started again"
        else:
            told = f"{event.process_name} failed ({event.returncode}) and is not started again"
            if required:  # an exception ends the launch, and only that gives an exit code for it
                raise RuntimeError(f"{told}; with required:=false the other nodes would go on")
        stay_ended = EmitEvent(event=ShutdownProcess(process_matcher=matches_action(node)))
        return [LogInfo(msg=f"{told}; the other nodes go on"), *([stay_ended] if respawn else [])]

    return RegisterEventHandler(OnProcessExit(target_action=node, on_exit=decide))


def environment(value, inherited):
    """Return the variables that our nodes get, and nothing else of the launch.

    Shared memory that holds whole images, unless a profile was chosen; and this machine only,
    unless other computers are wanted or the environment says else.
    """
    humble = inherited.get("ROS_DISTRO") == "humble"
    variables = {}
    profile = "FASTRTPS_DEFAULT_PROFILES_FILE" if humble else "FASTDDS_DEFAULT_PROFILES_FILE"
    if profile not in inherited:
        share = get_package_share_directory(PACKAGE)
        variables[profile] = os.path.join(share, "config", "fastdds_large_images.xml")
    ranges = ("ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY")
    never = value["network"].lower() == "never"
    chosen = any(name in inherited for name in ranges)
    if never or not (truth("network", value["network"]) or chosen):
        variables.update({ranges[1]: "1"} if humble else {ranges[0]: "LOCALHOST"})
    return variables


def camera_names(value):
    """Return the names in the argument cameras; refuse what cannot be a namespace."""
    names = [name.strip() for name in value["cameras"].split(",") if name.strip()]
    for name in names:
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) or names.count(name) > 1:
            raise ValueError(
                "cameras must be different names of letters, digits and _, as in front,left; "
                f"not {value['cameras']!r}"
            )
    if names and value["camera"] != "none":
        raise ValueError(
            "camera starts one camera only; with cameras, start each driver in its namespace"
        )
    if names and value["image_topic"].startswith("/"):
        raise ValueError(
            "with cameras, image_topic must be relative to each camera's namespace, as in "
            f"color/image_raw; not {value['image_topic']!r}"
        )
    return names


def recognizers(value, names, params_file, common):
    """Return one recognizer, or one in a namespace of its own for each name."""
    return [
        LifecycleNode(
            executable="recognizer",
            name="recognizer",
            namespace=name,
            remappings=[("image", value["image_topic"])],
            parameters=[
                params_file,
                *given(
                    value,
                    text,
                    "classifier",
                    "model",
                    "detector",
                    "detector_model",
                    "detector_sha256",
                    "person",
                    "region",
                    "image_transport",
                ),
                *given(value, truth, "autostart"),
            ],
            **common,
        )
        for name in names or [""]
    ]


def parameters_path(path):
    """Return the file to read parameters from; refuse one that is not there.

    launch_ros would only warn, and the nodes would run on other parameters than was asked for.
    """
    if not path:
        return os.path.join(get_package_share_directory(PACKAGE), "config", "expression.yaml")
    path = os.path.abspath(os.path.expanduser(path))
    if not os.path.isfile(path):
        raise FileNotFoundError(f"params_file: no such file: {path}")
    return path


def given(value, kind, *names):
    """Return parameters for those arguments that were given, to go over the params_file's."""
    return [{name: kind(name, value[name])} for name in names if value[name]]


def text(name, word):
    """Return a parameter that stays a text: camera 0 is the name of a device, not a number."""
    return ParameterValue(word, value_type=str)


def truth(name, word):
    """Return an argument's truth value; refuse what is neither true nor false."""
    if word.lower() in ("true", "1", "yes", "on"):
        return True
    if word.lower() in ("false", "0", "no", "off"):
        return False
    raise ValueError(f"{name} must be true or false, not {word!r}")
