"""A screen of its own for windows under test, and a person who presses keys and closes windows."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_uint, c_ulong, c_void_p

import numpy as np
import pytest

SIZE = (1280, 720)  # pixels
PATIENCE_S = 60.0
_CLIENT_MESSAGE = 33


# A window may go while it is asked for its name; Xlib would end the whole test run over it.
@ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)
def _no_matter(display: int, event: int) -> int:
    return 0


def wait_for(condition: Callable[[], object], what: str, patience: float = PATIENCE_S) -> object:
    """Return the first true answer of ``condition``; fail when none comes."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.05)
    pytest.fail(f"waited {patience:.0f} s for {what}")


@contextmanager
def virtual_screen() -> Iterator[VirtualScreen]:
    """Yield a running X server that shows its screen to nobody; skip where that is not possible."""
    server = shutil.which("Xvfb") or pytest.skip("needs Xvfb: sudo apt install xvfb")
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [server, "-displayfd", str(writing), "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24",
         "-nolisten", "tcp"],
        pass_fds=[writing], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writing)
    try:
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()  # once it takes clients; empty if it has ended
        assert number, f"Xvfb ended with exit code {process.wait()}"
        screen = VirtualScreen(f":{number}")
        try:
            yield screen
        finally:
            screen.disconnect()
    finally:
        process.terminate()
        process.wait()


class _ClientMessage(ctypes.Structure):
    _fields_ = [("type", c_int), ("serial", c_ulong), ("send_event", c_int),
                ("display", c_void_p), ("window", c_ulong), ("message_type", c_ulong),
                ("format", c_int), ("data", c_long * 5), ("room", c_long * 24)]  # fmt: skip


class VirtualScreen:
    """What a person does at a screen, by libX11 and libXtst.

    Attributes:
        name: of the display, such as ``:99``.
    """

    def __init__(self, name: str):
        self.name = name
        try:
            self._x, self._test = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXtst.so.6")
        except OSError as error:
            pytest.skip(f"needs libX11 and libXtst: {error}")
        self._x.XSetErrorHandler(_no_matter)
        self._x.XOpenDisplay.restype = c_void_p
        self._x.XDefaultRootWindow.restype = c_ulong
        self._x.XStringToKeysym.restype = c_ulong
        self._x.XInternAtom.restype = c_ulong
        self._x.XKeysymToKeycode.restype = ctypes.c_ubyte
        self._display = c_void_p(self._x.XOpenDisplay(name.encode()))
        assert self._display.value, f"no connection to {name}"
        self._root = c_ulong(self._x.XDefaultRootWindow(self._display))

    def disconnect(self) -> None:
        self._x.XCloseDisplay(self._display)

    def windows(self) -> dict[str, int]:
        """Return the titled windows on the screen, by title."""
        return {
            title: window for window in self._children(self._root.value)
            if (title := self._title(window))
        }  # fmt: skip

    def wait_for_window(self, part_of_title: str) -> int:
        """Return the window with such a title as soon as it is there."""

        def find() -> int | None:
            found = [w for title, w in self.windows().items() if part_of_title in title]
            return found[0] if found else None

        window = wait_for(find, f"a window {part_of_title!r}")
        assert isinstance(window, int)
        return window

    def press(self, key: str) -> None:
        """Press and release a key, such as ``q`` or ``Escape``, in the window under the pointer."""
        self._test.XTestFakeMotionEvent(self._display, -1, 100, 100, c_ulong(0))
        keysym = c_ulong(self._x.XStringToKeysym(key.encode()))
        code = c_uint(self._x.XKeysymToKeycode(self._display, keysym))
        for down in (1, 0):
            self._test.XTestFakeKeyEvent(self._display, code, down, c_ulong(0))
        self._x.XSync(self._display, 0)

    def close_window(self, window: int) -> None:
        """Ask a window to close, as the cross in its corner does."""
        event = _ClientMessage()
        event.type, event.window, event.format = _CLIENT_MESSAGE, window, 32
        event.message_type = self._atom(b"WM_PROTOCOLS")
        event.data[0] = self._atom(b"WM_DELETE_WINDOW")
        self._x.XSendEvent(self._display, c_ulong(window), 0, c_long(0), byref(event))
        self._x.XSync(self._display, 0)

    def image(self) -> np.ndarray:
        """Return what the screen shows, (720, 1280, 3) uint8 BGR."""
        grab = pytest.importorskip("PIL.ImageGrab", reason="needs Pillow")
        return np.asarray(grab.grab(xdisplay=self.name).convert("RGB"))[:, :, ::-1].copy()

    def _atom(self, name: bytes) -> int:
        return self._x.XInternAtom(self._display, name, 0)

    def _children(self, window: int) -> list[int]:
        root, parent, count = c_ulong(), c_ulong(), c_uint()
        children = POINTER(c_ulong)()
        done = self._x.XQueryTree(self._display, c_ulong(window), byref(root), byref(parent),
                                  byref(children), byref(count))  # fmt: skip
        found = [children[k] for k in range(count.value)] if done else []
        if children:
            self._x.XFree(children)
        return found

    def _title(self, window: int) -> str:
        name = c_char_p()
        if not self._x.XFetchName(self._display, c_ulong(window), byref(name)) or not name.value:
            return ""
        title = name.value.decode("utf-8", "replace")
        self._x.XFree(name)
        return title
