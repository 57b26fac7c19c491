# SPDX-License-Identifier: Apache-2.0
"""The other ends: a spacenavd that speaks the socket protocol, a kernel's hidraw, who listens to a node."""

import contextlib
import fcntl
import os
import select
import socket
import struct
import threading
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from sensor_msgs.msg import Joy

from hilserl_ros import codec, qos, topics

# proto.h of spacenavd 1.x.
UEV_MOTION, UEV_PRESS, UEV_RELEASE, UEV_DEV = range(4)
REQ_TAG, REQ_CHANGE_PROTO, REQ_DEV_NAME, REQ_DEV_TYPE = 0x7FAA0000, 0x5500, 0x2000, 0x2005
SPACENAVIGATOR = 0x206


class Spacenavd:
    """Answers clients on an AF_UNIX socket as spacenavd does: handshake, device queries, events.

    Args:
        path: of the socket.
        protocol: newest it speaks; 0: an old daemon, which takes the handshake for a sensitivity.
        plugged: whether a SpaceMouse is there.
    """

    def __init__(self, path, protocol=1, plugged=True):
        self.path, self.protocol, self.plugged = str(path), protocol, plugged
        self.requests = []
        self._clients = {}  # socket -> protocol of that client
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen()
        self._wake, self._woken = os.pipe()[::-1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def clients(self):
        return len(self._clients)

    def motion(self, x=0, y=0, z=0, rx=0, ry=0, rz=0, period=8):
        self._send(UEV_MOTION, x, y, z, rx, ry, rz, period)

    def button(self, number, down):
        self._send(UEV_PRESS if down else UEV_RELEASE, number)

    def unplug(self):
        self.plugged = False
        self._send(UEV_DEV, 1, 0, SPACENAVIGATOR, 0x46D, 0xC626, newest_only=True)

    def stop(self):
        """Ends like a killed daemon: all connections close, the socket file goes."""
        if self._listener.fileno() == -1:
            return
        os.write(self._wake, b"x")
        self._thread.join(5)
        for client in list(self._clients):
            client.close()
        self._clients.clear()
        self._listener.close()
        os.close(self._wake)
        os.close(self._woken)
        os.unlink(self.path)

    def _send(self, *numbers, newest_only=False):
        for client, protocol in list(self._clients.items()):
            if not newest_only or protocol >= 1:
                client.sendall(struct.pack("=8i", *numbers, *[0] * (8 - len(numbers))))

    def _serve(self):
        while True:
            ready, _, _ = select.select([self._listener, self._woken, *self._clients], [], [])
            if self._woken in ready:
                return
            for end in ready:
                if end is self._listener:
                    self._clients[end.accept()[0]] = 0
                else:
                    self._answer(end)

    def _answer(self, client):
        size = 32 if self._clients[client] else 4
        data = client.recv(size)
        if not data:
            del self._clients[client]
            client.close()
        elif size == 4:
            self._handshake(client, struct.unpack("=i", data)[0])
        else:
            self._query(client, list(struct.unpack("=8i", data)))

    def _handshake(self, client, message):
        self.requests.append(message)
        if self.protocol and (message & 0xFFFFFF00) == (REQ_TAG | REQ_CHANGE_PROTO):
            self._clients[client] = min(message & 0xFF, self.protocol)
            client.sendall(struct.pack("=i", REQ_TAG | REQ_CHANGE_PROTO | self._clients[client]))

    def _query(self, client, request):
        kind = request[0] & 0xFFFF
        self.requests.append(kind)
        request[7] = 0 if self.plugged else -1
        if kind == REQ_DEV_TYPE:
            request[1] = SPACENAVIGATOR
        if kind == REQ_DEV_NAME and self.plugged:
            name = b"3Dconnexion SpaceNavigator"
            for start in range(0, len(name), 24):  # 24 bytes a packet, the rest's length, bit 16: goes on
                rest = len(name) - start
                chunk = name[start : start + 24].ljust(24, b"\0")
                flag = 0x10000 if start else 0
                client.sendall(struct.pack("=i24si", request[0], chunk, rest | flag))
            return
        client.sendall(struct.pack("=8i", *request))


# Report descriptors as the kernel shows them: the first bytes decide what an interface is.
MULTI_AXIS_DESCRIPTOR = bytes.fromhex("05010908a101a100850116a2fe265e01")
MOUSE_DESCRIPTOR = bytes.fromhex("05010902a1010901a100050919012903")


class Hidraw:
    """A kernel with hidraw devices: a sysfs tree and device files.

    A device file is a FIFO in packet mode: like hidraw, each read gives one report.
    """

    def __init__(self, folder):
        self.sys, self.dev = Path(folder) / "sys", Path(folder) / "dev"
        self.sys.mkdir()
        self.dev.mkdir()
        self._writers = {}

    def plug(self, number, vendor, product, name, port="usb-1/input0", serial="", bus=3,
             descriptor=MULTI_AXIS_DESCRIPTOR):  # fmt: skip
        folder = self.sys / f"hidraw{number}" / "device"
        folder.mkdir(parents=True)
        (folder / "uevent").write_text(
            f"DRIVER=hid-generic\nHID_ID={bus:04X}:{vendor:08X}:{product:08X}\nHID_NAME={name}\n"
            f"HID_PHYS={port}\nHID_UNIQ={serial}\nMODALIAS=hid:b0003g0001v{vendor:08X}p{product:08X}\n"
        )
        (folder / "report_descriptor").write_bytes(descriptor)
        path = self.dev / f"hidraw{number}"
        os.mkfifo(path)
        writer = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(writer, fcntl.F_SETFL, os.O_RDWR | os.O_NONBLOCK | os.O_DIRECT)
        self._writers[number] = writer
        return path

    def report(self, number, text):
        """Sends reports given as hex, one a line. What nobody reads is dropped, as the kernel does."""
        for line in text.strip().splitlines():
            with contextlib.suppress(BlockingIOError):
                os.write(self._writers[number], bytes.fromhex(line.strip()))

    def unplug(self, number):
        os.close(self._writers.pop(number))
        (self.dev / f"hidraw{number}").unlink()
        for name in ("uevent", "report_descriptor"):
            (self.sys / f"hidraw{number}" / "device" / name).unlink()

    def close(self):
        for writer in self._writers.values():
            with contextlib.suppress(OSError):
                os.close(writer)


class Hand:
    """A person at a node: its topics, its diagnostics."""

    def __init__(self, graph, arm=None):
        self.graph, peer = graph, graph.peer()
        self.joys = peer.collect(Joy, topics.joy(arm), qos.TELEOP)
        self.twists = peer.collect(TwistStamped, topics.twist(arm), qos.TELEOP)
        self._diagnostics = peer.collect(DiagnosticArray, topics.DIAGNOSTICS, qos.DIAGNOSTICS)

    @property
    def said(self):
        return [status for array in self._diagnostics for status in array.status]

    def stick(self):
        return codec.vector_from_twist(self.twists[-1].twist)

    def wait_for(self, predicate, what, timeout_s=10):
        self.graph.spin_until(lambda: self.twists and self.joys and predicate(), timeout_s, what)

    def wait_for_word(self, word):
        self.wait_for(lambda: any(word in status.message for status in self.said), word)
