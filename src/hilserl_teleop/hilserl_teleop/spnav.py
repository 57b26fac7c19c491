# SPDX-License-Identifier: Apache-2.0
"""libspnav (Debian: libspnav0) through ctypes: the library that speaks to spacenavd.

Structures and constants as in spnav.h of libspnav 1.0. The library holds one connection a process.
"""

from __future__ import annotations

import ctypes
import functools
import os
import socket
from dataclasses import dataclass

from hilserl_task import TaskError

LIBRARY = "libspnav.so.0"
EVENT_MOTION, EVENT_BUTTON, EVENT_DEVICE = 1, 2, 3
DEVICE_REMOVED = 1
# A daemon that talks faster than we listen must not keep a node from publishing.
MOST_EVENTS = 1000


class _Motion(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        *[(axis, ctypes.c_int) for axis in ("x", "y", "z", "rx", "ry", "rz")],
        ("period", ctypes.c_uint),
        ("data", ctypes.POINTER(ctypes.c_int)),
    ]


class _Button(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("press", ctypes.c_int), ("bnum", ctypes.c_int)]


class _Device(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("op", ctypes.c_int),
        ("id", ctypes.c_int),
        ("devtype", ctypes.c_int),
        ("usbid", ctypes.c_int * 2),
    ]


class _Event(ctypes.Union):
    _fields_ = [
        ("type", ctypes.c_int),
        ("motion", _Motion),
        ("button", _Button),
        ("dev", _Device),
        ("room", ctypes.c_int * 16),  # at least as large as the union of any 1.x library
    ]


@dataclass(frozen=True)
class Motion:
    """Deflection in device counts: x right, y up, z forward; rotations about these."""

    counts: tuple[int, int, int, int, int, int]


@dataclass(frozen=True)
class Press:
    """A button went down or came up."""

    number: int
    down: bool


@dataclass(frozen=True)
class Unplugged:
    """A device was taken from spacenavd."""


class NoDaemon(RuntimeError):
    """spacenavd cannot be reached, or has gone."""


@functools.cache
def _library() -> ctypes.CDLL:
    """libspnav.

    Raises:
        TaskError: it is not installed.
    """
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise TaskError(
            f"{LIBRARY} cannot be loaded ({error}); install it with `sudo apt install libspnav0 spacenavd`, "
            "or use driver: hidraw, which needs neither"
        ) from error


class Spnav:
    """The connection to spacenavd.

    Args:
        path: of its socket; None: $SPNAV_SOCKET, then what /etc/spnavrc names, then /var/run/spnav.sock.

    Raises:
        NoDaemon: nobody answers there.
        TaskError: libspnav is missing.
    """

    def __init__(self, path: str | None = None) -> None:
        self._library = _library()
        if path is not None:
            os.environ["SPNAV_SOCKET"] = path
        if self._library.spnav_open() == -1:
            raise NoDaemon(f"no spacenavd at {path or 'its usual socket'}")
        self._socket = socket.socket(fileno=os.dup(self._library.spnav_fd()))
        self._event = _Event()
        reached = self._socket.getpeername()
        if path is not None and os.path.realpath(reached) != os.path.realpath(path):
            self.close()  # the library falls back to the usual socket
            raise NoDaemon(f"no spacenavd at {path}")

    @property
    def protocol(self) -> int:
        """0 for daemons before 1.0: those do not tell when a device is unplugged."""
        return int(self._library.spnav_protocol())

    def has_device(self) -> bool:
        """Whether a device is plugged in; True where the daemon is too old to tell."""
        # An event that comes between question and answer spoils the answer, so it is asked again.
        return self.protocol < 1 or any(self._library.spnav_dev_type() != -1 for _ in range(3))

    def device_name(self) -> str:
        """What spacenavd calls its device; empty where it cannot tell."""
        text = ctypes.create_string_buffer(256)
        known = self.protocol >= 1 and self._library.spnav_dev_name(text, len(text)) > 0
        return text.value.decode(errors="replace") if known else ""

    def events(self) -> list[Motion | Press | Unplugged]:
        """What has happened since the last call, without waiting.

        Raises:
            NoDaemon: the daemon has ended.
        """
        found: list[Motion | Press | Unplugged] = []
        for _ in range(MOST_EVENTS):
            # The library hides the end of the connection: it then reports nothing for ever.
            if self._ended():
                raise NoDaemon("spacenavd has ended")
            kind = self._library.spnav_poll_event(ctypes.byref(self._event))
            if kind == 0:
                break
            event = self._event
            if kind == EVENT_MOTION:
                m = event.motion
                found.append(Motion((m.x, m.y, m.z, m.rx, m.ry, m.rz)))
            elif kind == EVENT_BUTTON and event.button.bnum >= 0:
                found.append(Press(event.button.bnum, bool(event.button.press)))
            elif kind == EVENT_DEVICE and event.dev.op == DEVICE_REMOVED:
                found.append(Unplugged())
        return found

    def close(self) -> None:
        """Ends the connection; harmless when repeated."""
        if self._socket.fileno() != -1:
            self._socket.close()
            self._library.spnav_close()

    def _ended(self) -> bool:
        try:
            return self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
