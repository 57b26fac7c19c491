# SPDX-License-Identifier: Apache-2.0
"""Forward kinematics of a serial chain of a URDF: where the hand of a leader arm is.

Rotations, offsets and axes only: no meshes, no inertias, so a leader's URDF works as it is.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hilserl_task import TaskError
from hilserl_task.frames import Array

_TURNING, _SLIDING, _FIXED = ("revolute", "continuous"), ("prismatic",), ("fixed",)


@dataclass(frozen=True)
class _Joint:
    """One joint: its frame in the parent link at zero, and how it moves."""

    name: str
    kind: str
    parent: str
    child: str
    parent_T_joint: Array
    axis: Array

    def parent_T_child(self, position: float) -> Array:
        """4x4 at a position [rad or m]."""
        motion = np.eye(4)
        if self.kind in _TURNING:
            motion[:3, :3] = Rotation.from_rotvec(self.axis * position).as_matrix()
        elif self.kind in _SLIDING:
            motion[:3, 3] = self.axis * position
        return self.parent_T_joint @ motion


class Chain:
    """From a base link to a tip link.

    Args:
        urdf: file.
        base: link the pose is in; None: the root.
        tip: link whose pose it is; None: the only link without a child.

    Raises:
        TaskError: not readable as URDF, an unknown link, or a joint that is not supported.
    """

    def __init__(self, urdf: str | Path, base: str | None = None, tip: str | None = None) -> None:
        self._where = f"leader.urdf: {urdf}"
        joints = self._read(Path(urdf).expanduser())
        by_child = {joint.child: joint for joint in joints}
        links = {name for joint in joints for name in (joint.parent, joint.child)}
        if tip is None:
            ends = sorted(links - {joint.parent for joint in joints})
            if len(ends) != 1:
                raise TaskError(f"{self._where}: several last links {ends}; example: tip: {ends[0]}")
            tip = ends[0]
        for key, link in (("base", base), ("tip", tip)):
            if link is not None and link not in links:
                raise TaskError(f"{self._where}: {key}: no link '{link}'; links: {', '.join(sorted(links))}")
        self._joints = self._between(by_child, base, tip)

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Joints that move, from the base on."""
        return tuple(joint.name for joint in self._joints if joint.kind not in _FIXED)

    def base_T_tip(self, positions: Mapping[str, float]) -> Array:
        """4x4 pose of the tip.

        Args:
            positions: of every joint in `joint_names` [rad or m].

        Raises:
            KeyError: a joint is missing.
        """
        pose = np.eye(4)
        for joint in self._joints:
            pose = pose @ joint.parent_T_child(0.0 if joint.kind in _FIXED else positions[joint.name])
        return pose

    def _between(self, by_child: dict[str, _Joint], base: str | None, tip: str) -> list[_Joint]:
        chain: list[_Joint] = []
        link = tip
        while link in by_child and link != base:
            joint = by_child[link]
            if joint.kind not in (*_TURNING, *_SLIDING, *_FIXED):
                raise TaskError(f"{self._where}: joint '{joint.name}': type '{joint.kind}' is not supported")
            if len(chain) > len(by_child):
                raise TaskError(f"{self._where}: the links form a loop at '{link}'")
            chain.append(joint)
            link = joint.parent
        if base is not None and link != base:
            raise TaskError(f"{self._where}: base '{base}' is not above tip '{tip}'")
        if all(joint.kind in _FIXED for joint in chain):
            raise TaskError(f"{self._where}: nothing moves between '{link}' and '{tip}'")
        return chain[::-1]

    def _read(self, path: Path) -> list[_Joint]:
        try:
            root = ElementTree.parse(path).getroot()
        except (OSError, ElementTree.ParseError) as error:
            raise TaskError(f"{self._where}: not readable as URDF: {error}") from error
        joints = [self._joint(element) for element in root.findall("joint")]
        if not joints:
            raise TaskError(f"{self._where}: has no joints; a xacro file has to be expanded first")
        return joints

    def _joint(self, element: ElementTree.Element) -> _Joint:
        name, kind = element.get("name", ""), element.get("type", "")
        parent, child = element.find("parent"), element.find("child")
        origin, axis = element.find("origin"), element.find("axis")
        if parent is None or child is None:
            raise TaskError(f"{self._where}: joint '{name}' has no parent or no child")
        if element.find("mimic") is not None:
            kind = "mimic"
        parent_T_joint = np.eye(4)
        if origin is not None:
            rpy = self._three(name, "rpy", origin.get("rpy", "0 0 0"))
            parent_T_joint[:3, :3] = Rotation.from_euler("xyz", rpy).as_matrix()  # about fixed axes
            parent_T_joint[:3, 3] = self._three(name, "xyz", origin.get("xyz", "0 0 0"))
        direction = self._three(name, "axis", axis.get("xyz", "1 0 0") if axis is not None else "1 0 0")
        if np.linalg.norm(direction) < 1e-9:
            raise TaskError(f"{self._where}: joint '{name}': axis must not be zero; example: 0 0 1")
        direction = direction / np.linalg.norm(direction)
        return _Joint(name, kind, parent.get("link", ""), child.get("link", ""), parent_T_joint, direction)

    def _three(self, joint: str, what: str, text: str) -> Array:
        try:
            numbers = np.array([float(part) for part in text.split()])
        except ValueError:
            numbers = np.zeros(0)
        if numbers.shape != (3,) or not np.isfinite(numbers).all():
            raise TaskError(f"{self._where}: joint '{joint}': {what} '{text}' must be three numbers")
        return numbers
