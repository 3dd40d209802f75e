"""A window for images, by tkinter of Python's standard library.

Part of ``expression_ros.viewing``: imports no ROS. Not by ``cv2.imshow``: the OpenCV that pip
installs with this package has no windows.
"""

from __future__ import annotations

import gc
from typing import Any

import cv2
import numpy as np

_BARS = 80  # pixels of the screen's height that titles and panels take
_BROWSER = "expression-ros web shows the same in a browser"


class WindowError(ValueError):
    """No window can be opened here; one line that says what to do."""


class ImageWindow:
    """Shows one image after the other. To be used by one thread, the main one.

    The window appears with the first image and is as large as the images, unless they are
    larger than the screen.

    Args:
        title: of the window.

    Raises:
        WindowError: there is no screen, or Python has no tkinter.
    """

    def __init__(self, title: str):
        try:
            import tkinter
        except ImportError as error:
            raise WindowError(
                f"a window needs tkinter ({error}): sudo apt install python3-tk; or {_BROWSER}"
            ) from None
        self._error = tkinter.TclError
        try:
            root = tkinter.Tk(className="expression-ros")
        except tkinter.TclError as error:
            raise WindowError(
                f"no window can be opened ({error}): log in at the screen, or use ssh -X; or "
                f"{_BROWSER}"
            ) from None
        root.withdraw()
        root.title(title)
        root.resizable(False, False)
        root.protocol("WM_DELETE_WINDOW", self.close)
        root.bind("<Key>", lambda event: self._keys.append(event.keysym))
        self._root: Any = root
        self._image: Any = tkinter.PhotoImage(master=root)
        tkinter.Label(root, image=self._image, borderwidth=0).pack()
        self._keys: list[str] = []
        self._is_shown = False

    @property
    def is_closed(self) -> bool:
        """Whether the window is gone, by its user or by close()."""
        return self._root is None

    def show(self, image: np.ndarray) -> None:
        """Show an image, (H, W, 3) uint8 BGR; a closed window shows nothing."""
        if self.is_closed:
            return
        image = self._fitted(image)
        height, width = image.shape[:2]
        pixels = cv2.cvtColor(image, cv2.COLOR_BGR2RGB).tobytes()
        # The header of a PPM file. Filling one image again is twice as fast as making new ones.
        self._image.configure(data=b"P6 %d %d 255\n" % (width, height) + pixels)
        if not self._is_shown:
            self._root.deiconify()
            self._is_shown = True

    def _fitted(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        factor = min(
            self._root.winfo_screenwidth() / width,
            (self._root.winfo_screenheight() - _BARS) / height,
        )
        if factor >= 1:
            return image
        size = (max(1, round(factor * width)), max(1, round(factor * height)))
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)

    def keys(self) -> list[str]:
        """Let the window do its work and return the keys pressed since the last call.

        To be called many times a second. The names are X11's: ``q``, ``Escape``, ``space``.
        """
        if not self.is_closed:
            try:
                self._root.update()
            except self._error:  # it was taken away in the middle of its work
                self.close()
        pressed, self._keys = self._keys, []
        return pressed

    def close(self) -> None:
        """Close the window; may be called twice."""
        if self.is_closed:
            return
        root, self._root, self._image = self._root, None, None
        root.destroy()
        del root
        # Tcl ends the process if another thread happens to collect what is left of a window.
        gc.collect()
