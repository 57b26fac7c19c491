# SPDX-License-Identifier: Apache-2.0
"""Franka Panda with Franka hand as MJCF text: published frames, limits and inertias, our own geometry.

The numbers are those of MuJoCo Menagerie's `franka_emika_panda` (Apache-2.0), see NOTICE. The geometry is
made of primitives, carries no mass and does not collide: what a task touches with is part of its scene.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

JOINTS = 7
EFFORT_LIMITS = np.array([87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0])  # Nm
JOINT_LOWER = np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973])  # rad
JOINT_UPPER = np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973])  # rad
ARMATURE = 0.1  # kg m^2, rotor inertia seen at the joint
JOINT_DAMPING = 1.0  # Nm s/rad
FLANGE_TO_TCP = 0.1034  # m along the hand's z axis (Franka hand data sheet)
# Elbow up, hand pointing down about half a metre ahead of the base: far from every joint limit.
HOME = np.array([0.0, 0.15, 0.0, -2.35, 0.0, 2.5, 0.7853981633974483])


@dataclass(frozen=True)
class Link:
    """One moving link: frame in its parent, mass [kg], centre of mass [m] and inertia [kg m^2] at it."""

    position: tuple[float, float, float]
    quaternion_wxyz: tuple[float, float, float, float]
    mass: float
    com: tuple[float, float, float]
    inertia: tuple[float, float, float, float, float, float]  # xx yy zz xy xz yz
    geometry: str


def _capsule(start: str, end: str, radius: float, material: str = "white") -> str:
    return (
        f'<geom class="{{p}}panda" type="capsule" fromto="{start} {end}" size="{radius}" '
        f'material="{{p}}{material}"/>'
    )


def _box(centre: str, half: str, material: str) -> str:
    return f'<geom class="{{p}}panda" type="box" pos="{centre}" size="{half}" material="{{p}}{material}"/>'


LINK0 = Link(
    (0, 0, 0), (1, 0, 0, 0), 0.629769, (-0.041018, -0.00014, 0.049974),
    (0.00315, 0.00388, 0.004285, 8.2904e-7, 0.00015, 8.2299e-6),
    _box("-0.04 0 0.04", "0.1 0.09 0.04", "grey") + _capsule("0 0 0.08", "0 0 0.13", 0.07),
)  # fmt: skip
LINKS = (
    Link((0, 0, 0.333), (1, 0, 0, 0), 4.970684, (0.003875, 0.002081, -0.04762),
         (0.70337, 0.70661, 0.0091170, -0.00013900, 0.0067720, 0.019169),
         _capsule("0 0 -0.19", "0 0 -0.03", 0.065)),
    Link((0, 0, 0), (1, -1, 0, 0), 0.646926, (-0.003141, -0.02872, 0.003495),
         (0.0079620, 2.8110e-2, 2.5995e-2, -3.925e-3, 1.0254e-2, 7.04e-4),
         _capsule("0 0 -0.06", "0 0 0.06", 0.065) + _capsule("0 0 0", "0 -0.12 0", 0.06)),
    Link((0, -0.316, 0), (1, 1, 0, 0), 3.228604, (2.7518e-2, 3.9252e-2, -6.6502e-2),
         (3.7242e-2, 3.6155e-2, 1.083e-2, -4.761e-3, -1.1396e-2, -1.2805e-2),
         _capsule("0 0 -0.15", "0 0 -0.04", 0.06) + _capsule("0.02 0 -0.01", "0.0825 0 0", 0.055)),
    Link((0.0825, 0, 0), (1, 1, 0, 0), 3.587895, (-5.317e-2, 1.04419e-1, 2.7454e-2),
         (2.5853e-2, 1.9552e-2, 2.8323e-2, 7.796e-3, -1.332e-3, 8.641e-3),
         _capsule("0 0 -0.06", "0 0 0.06", 0.055) + _capsule("0 0 0", "-0.0825 0.09 0", 0.055)),
    Link((-0.0825, 0.384, 0), (1, -1, 0, 0), 1.225946, (-1.1953e-2, 4.1065e-2, -3.8437e-2),
         (3.5549e-2, 2.9474e-2, 8.627e-3, -2.117e-3, -4.037e-3, 2.29e-4),
         _capsule("0 0 -0.27", "0 0.05 -0.1", 0.055) + _capsule("0 0.06 -0.1", "0 0.02 0", 0.045)),
    Link((0, 0, 0), (1, 1, 0, 0), 1.666555, (6.0149e-2, -1.4117e-2, -1.0517e-2),
         (1.964e-3, 4.354e-3, 5.433e-3, 1.09e-4, -1.158e-3, 3.41e-4),
         _capsule("0 0 -0.04", "0 0 0.05", 0.05) + _capsule("0 0 0", "0.088 0 0", 0.045)),
    Link((0.088, 0, 0), (1, 1, 0, 0), 0.735522, (1.0517e-2, -4.252e-3, 6.1597e-2),
         (1.2516e-2, 1.0027e-2, 4.815e-3, -4.28e-4, -1.196e-3, -7.41e-4),
         _capsule("0 0 0.02", "0 0 0.065", 0.042)),
)  # fmt: skip
HAND_MASS, HAND_COM, HAND_INERTIA = 0.73, (-0.01, 0, 0.03), (0.001, 0.0025, 0.0017)
FINGER_MASS, FINGER_INERTIA = 0.015, (2.375e-6, 2.375e-6, 7.5e-7)
FINGER_BASE_Z = 0.0584  # m, finger body in the hand frame
FINGER_STROKE = 0.04  # m each (Franka hand data sheet: 80 mm between the fingers)
# Moving fingers: coupled like the real hand's, driven by a force-limited position servo.
FINGER_ARMATURE, FINGER_DAMPING = 0.1, 10.0  # kg, N s/m
SERVO_STIFFNESS, SERVO_DAMPING = 8000.0, 200.0  # N/m and N s/m of the opening's half
GRASP_FORCE = 70.0  # N, largest continuous force of the Franka hand (data sheet)
PAD_FRICTION = "1.2 0.02 0.001"  # rubber tips; torsional friction is that of a pad, not of a point


def _numbers(values: object) -> str:
    return " ".join(f"{float(value):.10g}" for value in np.asarray(values, float).ravel())


def defaults(prefix: str = "") -> str:
    """Default class of one arm, for `<default>`.

    Args:
        prefix: put before every name, so that two arms fit into one model.
    """
    return (
        f'<default class="{prefix}panda"><joint armature="{ARMATURE}" damping="{JOINT_DAMPING}"/>'
        '<geom contype="0" conaffinity="0" mass="0" group="2"/></default>'
    )


def materials(prefix: str = "") -> str:
    """Materials of one arm, for `<asset>`."""
    colours = {"white": "0.92 0.93 0.94", "grey": "0.35 0.36 0.38", "black": "0.12 0.12 0.13"}
    return "".join(
        f'<material name="{prefix}{name}" rgba="{rgb} 1" specular="0.2" shininess="0.3"/>'
        for name, rgb in colours.items()
    )


def actuators(prefix: str = "", moving_fingers: bool = False) -> str:
    """Seven torque motors, and a servo for moving fingers, for `<actuator>`."""
    motors = "".join(
        f'<motor name="{prefix}motor{i + 1}" joint="{prefix}joint{i + 1}" '
        f'ctrlrange="{-limit:g} {limit:g}" ctrllimited="true"/>'
        for i, limit in enumerate(EFFORT_LIMITS)
    )
    servo = (
        f'<position name="{prefix}gripper" tendon="{prefix}opening" kp="{SERVO_STIFFNESS:g}" '
        f'kv="{SERVO_DAMPING:g}" ctrlrange="0 {FINGER_STROKE:g}" '
        f'forcelimited="true" forcerange="{-GRASP_FORCE:g} {GRASP_FORCE:g}"/>'
    )
    return motors + servo * moving_fingers


def couplings(prefix: str = "") -> str:
    """What makes moving fingers one gripper: `<tendon>` and `<equality>` elements of the model."""
    joints = [f"{prefix}finger_joint{i}" for i in (1, 2)]
    tendon = "".join(f'<joint joint="{joint}" coef="0.5"/>' for joint in joints)
    return (
        f'<tendon><fixed name="{prefix}opening">{tendon}</fixed></tendon>'
        f'<equality><joint joint1="{joints[0]}" joint2="{joints[1]}" '
        'solimp="0.95 0.99 0.001" solref="0.005 1"/></equality>'
    )


def _inertial(mass: float, com: object, inertia: object) -> str:
    kind = "fullinertia" if len(np.ravel(np.asarray(inertia))) == 6 else "diaginertia"
    return f'<inertial mass="{mass:.10g}" pos="{_numbers(com)}" {kind}="{_numbers(inertia)}"/>'


def _finger(prefix: str, number: int, opening: float, moving: bool) -> str:
    """One finger; its own y axis points away from the other one. Fixed at `opening`, or sliding and solid."""
    side, sign = (("left_", 1), ("right_", -1))[number - 1]
    joint, touch = "", ""
    if moving:
        joint = (
            f'<joint name="{prefix}finger_joint{number}" type="slide" axis="0 1 0" limited="true" '
            f'range="0 {FINGER_STROKE:g}" armature="{FINGER_ARMATURE:g}" damping="{FINGER_DAMPING:g}"/>'
        )
        touch = (
            f'<geom name="{prefix}{side}pad" class="{prefix}panda" type="box" pos="0 0.0045 0.034" '
            f'size="0.0095 0.0045 0.018" contype="1" conaffinity="1" condim="4" '
            f'friction="{PAD_FRICTION}" solref="0.004 1" solimp="0.95 0.99 0.0005" material="{prefix}black"/>'
        )
    place = 0.0 if moving else sign * opening
    return (
        f'<body name="{prefix}{side}finger" pos="0 {place:.6g} {FINGER_BASE_Z}" '
        f'quat="{"1 0 0 0" if sign > 0 else "0 0 0 1"}" gravcomp="1">'
        f"{_inertial(FINGER_MASS, (0, 0, 0), FINGER_INERTIA)}{joint}"
        + _box("0 0.013 0.008", "0.0105 0.012 0.008", "grey").format(p=prefix)
        + (touch or _box("0 0.0045 0.034", "0.0095 0.0045 0.018", "black").format(p=prefix))
        + "</body>"
    )


def _hand(prefix: str, opening: float, in_hand: str, moving: bool) -> str:
    """Hand with its fingers fixed at `opening` [m, from the middle plane] or moving, and the tcp site."""
    fingers = "".join(_finger(prefix, number, opening, moving) for number in (1, 2))
    return (
        f'<body name="{prefix}hand" pos="0 0 0.107" quat="0.9238795325 0 0 -0.3826834324" gravcomp="1">'
        f"{_inertial(HAND_MASS, HAND_COM, HAND_INERTIA)}"
        + _box("0 0 0.033", "0.0316 0.1 0.033", "white").format(p=prefix)
        + f'<site name="{prefix}tcp" pos="0 0 {FLANGE_TO_TCP}" size="0.001" group="4"/>'
        f"{in_hand}{fingers}</body>"
    )


def body(
    prefix: str = "",
    position: tuple[float, float, float] = (0, 0, 0),
    quaternion_wxyz: tuple[float, float, float, float] = (1, 0, 0, 0),
    finger_opening: float = 0.002,
    in_hand: str = "",
    moving_fingers: bool = False,
) -> str:
    """The arm as one `<body>` element, to stand in `<worldbody>`.

    Args:
        prefix: put before every name (`left/` and `right/` for two arms).
        position, quaternion_wxyz: pose of the arm's base in the world, metres.
        finger_opening: distance of each finger pad from the middle plane of the hand, metres.
        in_hand: MJCF elements in the hand frame: held object, cameras.
        moving_fingers: fingers slide and touch; needs `couplings` and the servo of `actuators`.

    Returns:
        MJCF text. Joints `<prefix>joint1..7`, site `<prefix>tcp`, all bodies gravity-compensated
        (the real arm does that itself).
    """
    text = _hand(prefix, finger_opening, in_hand, moving_fingers)
    for i in range(JOINTS, 0, -1):
        link = LINKS[i - 1]
        text = (
            f'<body name="{prefix}link{i}" pos="{_numbers(link.position)}" '
            f'quat="{_numbers(link.quaternion_wxyz)}" gravcomp="1">'
            f"{_inertial(link.mass, link.com, link.inertia)}"
            f'<joint name="{prefix}joint{i}" axis="0 0 1" limited="true" '
            f'range="{JOINT_LOWER[i - 1]:.10g} {JOINT_UPPER[i - 1]:.10g}"/>'
            f"{link.geometry.format(p=prefix)}{text}</body>"
        )
    return (
        f'<body name="{prefix}link0" pos="{_numbers(position)}" quat="{_numbers(quaternion_wxyz)}" '
        f'childclass="{prefix}panda" gravcomp="1">'
        f"{_inertial(LINK0.mass, LINK0.com, LINK0.inertia)}{LINK0.geometry.format(p=prefix)}{text}</body>"
    )
