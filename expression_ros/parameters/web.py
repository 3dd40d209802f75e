"""The parameters of the page's node. Plain data, imports no ROS."""

from expression_ros.parameters.table import ParameterSpec as P

WEB_PARAMETERS = (
    P(
        "host",
        "127.0.0.1",
        "Address to serve the page on; 0.0.0.0 shows it to the whole network, without a password.",
        run_time=False,
    ),
    P("port", 8080, "Port to serve the page on; 0 for any that is free.", 0, 65535, run_time=False),
    P(
        "allowed_hosts",
        "",
        "Names besides its own by which the page may be called, as in robot.lan,head.lan.",
        run_time=False,
    ),
    P("mirror", "mirror", "Name of the mirror that the page shows and sets.", run_time=False),
    P(
        "model",
        "",
        "Folder with the Fisherfaces that a calibration on the page adapts, the recognizer's; "
        "empty for the shipped ones.",
        run_time=False,
    ),
    P(
        "image_transport",
        "raw",
        "What a calibration on the page reads of the camera: raw images, or compressed ones.",
        choices=("raw", "compressed"),
        run_time=False,
    ),
)
