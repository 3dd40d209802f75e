"""Generates Python classes of the message types that the tests need and the wheels do not have.

Usage: python tools/build_test_interfaces.py FOLDER

From each package in test/interfaces into FOLDER/lib/pythonX.Y/site-packages, where test/conftest.py
looks for them. A package that can be imported already, or is up to date in FOLDER, is left alone.
It calls the generators that come with rclpy's wheels and needs a C++ compiler, nothing else: no
cmake, no download, nothing installed outside FOLDER.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

INTERFACES = Path(__file__).resolve().parent.parent / "test" / "interfaces"
DEPENDENCIES = ("builtin_interfaces", "geometry_msgs", "std_msgs")


@dataclass(frozen=True)
class Package:
    """A package to generate.

    Attributes:
        name: of the package, and of its folder in test/interfaces.
        release: the release that its definitions are those of.
        type_hashes: by message, what ROS 2 computes from names, types and order of all its fields,
            nested ones included, in that release. The messages listed here contain all the others.
        tests: what is skipped without it.
    """

    name: str
    release: str
    type_hashes: Mapping[str, str]
    tests: str

    @property
    def definitions(self) -> Path:
        return INTERFACES / self.name


PACKAGES = (
    Package(
        "vision_msgs",
        "4.1.1",
        {
            "Detection2DArray": (
                "RIHS01_214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968"
            )
        },
        "/face_emotion/detections",
    ),
    Package(
        "hri_msgs",
        "2.0.0",
        {
            "Expression": "RIHS01_411b88e0604397d44775d8ec6a4bc69398fb0dfbfe864c33a40fa99ee85f1b00",
            "IdsList": "RIHS01_7e0812d1ac945c98fd3e393568d581ad0ab567f37b24eff633eab778c1bfe62d",
            "NormalizedRegionOfInterest2D": (
                "RIHS01_2e50c93f1ca166ee77af9a5424dc951ae4e452b740162a7f83c082d917dcaff5"
            ),
        },
        "the robot pal and of /humans/faces",
    ),
)
# Of the middlewares' type supports this one is enough: with a single one, the generated code calls
# it directly instead of searching for a shared library by name, so everything fits in one file.
TYPE_SUPPORT = "rosidl_typesupport_fastrtps_c"
STAMP = "generated_from"


class CannotBuild(Exception):
    """Says in one line what is missing or went wrong."""


def say(text: str) -> None:
    print(f"[interfaces] {text}", flush=True)


def main(arguments: list[str]) -> int:
    """Build what is missing; return 0, or 1 with a line that says what to do."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    site = Path(arguments[0]).resolve() / "lib" / python_folder() / "site-packages"
    return max(provide(package, site) for package in PACKAGES)


def python_folder() -> str:
    """Return the name under which this Python's packages are kept."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def provide(package: Package, site: Path) -> int:
    """Build one package in the folder if it is missing; return 0, or 1 with a line."""
    if importlib.util.find_spec(package.name) is not None:
        return 0
    target = site / package.name
    stamp = fingerprint(package)
    if _read(target / STAMP) == stamp:
        return 0
    shutil.rmtree(target, ignore_errors=True)  # out of date: rather none, if this fails
    begin = time.monotonic()
    try:
        require_generators(package)
        compiler = find_compiler()
        say(f"generating {package.name} for the tests with {compiler[0]} (up to a minute, once)")
        site.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".build_", dir=site) as scratch:
            built = build(package, Path(scratch), compiler)
            try_out(package, built.parent)
            (built / STAMP).write_text(stamp)
            shutil.rmtree(target, ignore_errors=True)  # another run may have been faster
            built.rename(target)
    except CannotBuild as reason:
        say(f"the tests of {package.tests} will be skipped: {reason}")
        return 1
    except Exception as error:  # a generator of another version than the ones known here
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        say(f"the tests of {package.tests} will be skipped: generating failed: {said}")
        return 1
    say(f"{package.name} is ready after {time.monotonic() - begin:.0f} s")
    return 0


def fingerprint(package: Package) -> str:
    """Return a hash of all that the generated files depend on."""
    digest = hashlib.sha256(sys.version.encode())
    for path in (Path(__file__), *sorted((package.definitions / "msg").glob("*.msg"))):
        digest.update(path.name.encode() + path.read_bytes())
    distributions = (one.metadata["Name"] for one in metadata.distributions())
    for name in sorted({n for n in distributions if n and n.lower().startswith("ros-")}):
        digest.update(f"{name}={metadata.version(name)}".encode())
    return digest.hexdigest()


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def require_generators(package: Package) -> None:
    """Raise CannotBuild where the generators of ROS 2's wheels are not in this environment."""
    modules = (
        "rosidl_adapter",
        "rosidl_generator_type_description",
        "rosidl_generator_c",
        "rosidl_generator_py",
        "rosidl_typesupport_c",
        TYPE_SUPPORT,
        *DEPENDENCIES,
    )
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if not missing and not all((_share(name) / "msg").is_dir() for name in DEPENDENCIES):
        missing = [f"{sys.prefix}/share"]
    if missing:
        raise CannotBuild(
            f"this Python has no {', '.join(missing)}; pip install '.[ros]', or on a ROS 2 "
            f"installation: apt install ros-$ROS_DISTRO-{package.name.replace('_', '-')}"
        )


def find_compiler() -> list[str]:
    """Return the command of the C++ compiler, which compiles the C files as well."""
    named = shlex.split(os.environ.get("CXX", ""))
    compiler = next((c for c in (named, ["c++"], ["g++"], ["clang++"]) if c and _found(c)), None)
    if compiler is None:
        raise CannotBuild("no C++ compiler found; install one, for example: apt install g++")
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        raise CannotBuild("no Python.h found; install it, for example: apt install python3-dev")
    return compiler


def _found(command: list[str]) -> bool:
    return shutil.which(command[0]) is not None


def _share(package: str) -> Path:
    return Path(sys.prefix) / "share" / package


def build(package: Package, scratch: Path, compiler: list[str]) -> Path:
    """Generate, compile and link in the folder; return the finished Python package in it."""
    name = package.name
    generated = scratch / "include" / name  # the generated files include "vision_msgs/msg/..."
    messages = generate(package, scratch, generated)
    built = scratch / "site-packages" / name
    (built / "msg").mkdir(parents=True)
    (built / "__init__.py").touch()
    for path in (generated / "msg").glob("*.py"):
        shutil.copy(path, built / "msg")
    sources = [path for path in sorted(generated.rglob("*")) if path.suffix in (".c", ".cpp")]
    if len(sources) < len(messages):
        raise CannotBuild("the generators made no sources")
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    extension = built / f"{name}_s__rosidl_typesupport_c{suffix}"
    compile_all(compiler, sources, scratch, extension)
    return built


def generate(package: Package, scratch: Path, output: Path) -> list[str]:
    """Run ROS 2's generators on the definitions; return the names of the messages."""
    # Only here, because they are in the environment of the tests, not in every Python.
    from rosidl_adapter.msg import convert_msg_to_idl
    from rosidl_generator_c import generate_c
    from rosidl_generator_py import generate_py
    from rosidl_generator_type_description import generate_type_hash
    from rosidl_typesupport_c import generate_c as generate_dispatch
    from rosidl_typesupport_fastrtps_c import generate_typesupport_fastrtps_c

    names = sorted(path.stem for path in (package.definitions / "msg").glob("*.msg"))
    with contextlib.redirect_stdout(io.StringIO()):  # it names every file it reads and writes
        for name in names:
            convert_msg_to_idl(
                package.definitions, package.name, Path("msg", f"{name}.msg"), output / "msg"
            )

    def arguments(generator: str) -> str:
        path = scratch / f"{generator}.json"
        values = {
            "package_name": package.name,
            "output_dir": str(output),
            "template_dir": str(_share(generator) / "resource"),
            "idl_tuples": [f"{output}:msg/{name}.idl" for name in names],
            "ros_interface_files": [
                str(package.definitions / "msg" / f"{name}.msg") for name in names
            ],
            "type_description_tuples": [
                f"msg/{name}.idl:{output / 'msg' / name}.json" for name in names
            ],
            "include_paths": [f"{name}:{_share(name)}" for name in DEPENDENCIES],
            "target_dependencies": [],
        }
        if generator == "rosidl_generator_type_description":
            del values["type_description_tuples"]  # these are what it makes
        path.write_text(json.dumps(values))
        return str(path)

    generate_type_hash(arguments("rosidl_generator_type_description"))
    for top_type, type_hash in package.type_hashes.items():
        check_type_hash(package, top_type, type_hash, output / "msg" / f"{top_type}.json")
    generate_c(arguments("rosidl_generator_c"))
    generate_typesupport_fastrtps_c(arguments(TYPE_SUPPORT))
    generate_dispatch(arguments("rosidl_typesupport_c"), [TYPE_SUPPORT])
    generate_py(arguments("rosidl_generator_py"), ["rosidl_typesupport_c"])
    for generator in ("rosidl_generator_c", TYPE_SUPPORT):
        header = f"{generator}__visibility_control.h"
        text = (_share(generator) / "resource" / f"{header}.in").read_text()
        text = text.replace("@PROJECT_NAME_UPPER@", package.name.upper())
        (output / "msg" / header).write_text(text.replace("@PROJECT_NAME@", package.name))
    return names


def check_type_hash(package: Package, top_type: str, type_hash: str, path: Path) -> None:
    """Raise CannotBuild if the definition is not that of the package's release."""
    hashes = {one["type_name"]: one["hash_string"]
              for one in json.loads(path.read_text())["type_hashes"]}  # fmt: skip
    got = hashes[f"{package.name}/msg/{top_type}"]
    if got != type_hash:
        raise CannotBuild(
            f"{top_type} has type hash {got}, but that of {package.name} "
            f"{package.release} is {type_hash}"
        )


def compile_all(compiler: list[str], sources: list[Path], scratch: Path, extension: Path) -> None:
    """Compile the sources, several at a time, and link them to one Python extension module."""
    # Packages of ROS 2 have their headers in include/PACKAGE/PACKAGE/...
    wheels = sorted(path for path in (Path(sys.prefix) / "include").iterdir() if path.is_dir())
    own = [scratch / "include", Path(sysconfig.get_path("include")), Path(sys.prefix) / "include"]
    includes = [f"-I{path}" for path in (*own, *wheels)] + list(_numpy_include())

    def compile_one(numbered: tuple[int, Path]) -> Path:
        number, source = numbered
        language = ["-x", "c++", "-std=c++17"] if source.suffix == ".cpp" else ["-x", "c"]
        target = scratch / f"{number}.o"
        # Not optimized: it is compiled in half the time and carries a few messages.
        _call([*compiler, *language, "-c", "-O0", "-w", "-fPIC", *includes, str(source),
               "-o", str(target)])  # fmt: skip
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = [str(target) for target in pool.map(compile_one, enumerate(sources))]
    libraries = ["rosidl_runtime_c", "rosidl_typesupport_c", TYPE_SUPPORT,
                 "rosidl_typesupport_fastrtps_cpp", "fastcdr", "rcutils"]  # fmt: skip
    for name in DEPENDENCIES:
        for part in ("rosidl_generator_c", "rosidl_generator_py", "rosidl_typesupport_c",
                     TYPE_SUPPORT):  # fmt: skip
            libraries.append(f"{name}__{part}")
    # No run path: these libraries are found, and mostly loaded, wherever rclpy itself works.
    _call([*compiler, "-shared", *objects, f"-L{Path(sys.prefix) / 'lib'}",
           *(f"-l{name}" for name in libraries), "-o", str(extension)])  # fmt: skip


def _numpy_include() -> Iterator[str]:
    """Yield the compiler's option for NumPy's headers; array fields need them."""
    if importlib.util.find_spec("numpy") is not None:
        import numpy

        yield f"-I{numpy.get_include()}"


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line]
        lines = lines or done.stderr.splitlines() or [f"exit code {done.returncode}"]
        raise CannotBuild(f"{command[0]}: {lines[0].strip()}")


def try_out(package: Package, site: Path) -> None:
    """Raise CannotBuild if a new Python cannot load the classes and the compiled code."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        f"from {package.name}.msg import {', '.join(package.type_hashes)}\n"
        f"tops = [{', '.join(package.type_hashes)}]\n"
        "for top in tops: top.__class__.__import_type_support__()\n"
        f"import {package.name}.{package.name}_s__rosidl_typesupport_c\n"
        "sys.exit(not all(top.__class__._TYPE_SUPPORT for top in tops))\n"
    )
    command = [sys.executable, "-c", program, str(site)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or "no type support").splitlines()[-1]
        raise CannotBuild(f"the generated classes cannot be loaded: {last}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
