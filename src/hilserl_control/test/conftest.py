# SPDX-License-Identifier: Apache-2.0
"""A rig: the law with a measurement that the test sets, stepped by hand. The arm itself stands still."""

from collections.abc import Callable

import numpy as np
import pytest

import hilserl_control as hc

Q_READY = np.array([0.0, -0.3, 0.0, -2.1, 0.0, 1.6, 0.8])
DOWN = np.array([1.0, 0.0, 0.0, 0.0])  # xyzw: tool pointing down


# Modified Denavit-Hartenberg parameters of the Franka Panda (FCI documentation): a (m), d (m), alpha (rad).
PANDA_DH = [
    (0.0, 0.333, 0.0),
    (0.0, 0.0, -np.pi / 2),
    (0.0, 0.316, np.pi / 2),
    (0.0825, 0.0, np.pi / 2),
    (-0.0825, 0.384, -np.pi / 2),
    (0.0, 0.0, np.pi / 2),
    (0.088, 0.0, np.pi / 2),
]
PANDA_TCP = 0.107 + 0.1034  # m from joint 7: flange and hand


def panda_jacobian(q: np.ndarray) -> np.ndarray:
    """Geometric Jacobian (6, 7) at the tcp in base axes."""
    base_T_joint = np.eye(4)
    axes, origins = [], []
    for (a, d, alpha), angle in zip(PANDA_DH, q, strict=True):
        ca, sa, ct, st = np.cos(alpha), np.sin(alpha), np.cos(angle), np.sin(angle)
        base_T_joint = base_T_joint @ np.array(
            [[ct, -st, 0, a], [st * ca, ct * ca, -sa, -d * sa], [st * sa, ct * sa, ca, d * ca], [0, 0, 0, 1]]
        )
        axes.append(base_T_joint[:3, 2])
        origins.append(base_T_joint[:3, 3])
    tcp = base_T_joint[:3, 3] + PANDA_TCP * base_T_joint[:3, 2]
    return np.array(
        [np.concatenate([np.cross(z, tcp - o), z]) for z, o in zip(axes, origins, strict=True)]
    ).T.copy()


class Rig:
    """Law, measurement and clock of a Panda that stands still in its ready posture unless told otherwise."""

    def __init__(self, config: hc.ControllerConfig, rate_hz: float = 1000.0):
        self.config = config
        self.dt = 1.0 / rate_hz
        self.now = 10.0
        self.q = Q_READY.copy()
        self.dq = np.zeros(7)
        self.position = np.array([0.5, 0.0, 0.2])
        self.quaternion = DOWN.copy()
        self.twist = np.zeros(6)
        self.jacobian = panda_jacobian(Q_READY)
        self.bias = np.zeros(7)
        self.mass = None
        self.law = hc.CartesianImpedance(config)
        self.law.reset(self.q, self.position, self.quaternion, self.now)

    def target(self, position=None, quaternion=None, **more) -> bool:
        """Target stamped now; the measured pose where not given."""
        position = self.position if position is None else position
        quaternion = self.quaternion if quaternion is None else quaternion
        return self.law.set_target(position, quaternion, self.now, **more)

    def twist_target(self, twist) -> bool:
        """Twist stamped now."""
        return self.law.set_twist(twist, self.now)

    def wrench_target(self, wrench, frame="base") -> bool:
        """Wrench stamped now."""
        return self.law.set_wrench(wrench, self.now, frame)

    def step(self, cycles: int = 1, **changes) -> np.ndarray:
        """`cycles` updates, (7,) Nm of the last one."""
        for name, value in changes.items():
            setattr(self, name, value)
        for _ in range(cycles):
            self.now += self.dt
            tau = self.law.update(
                self.now,
                self.dt,
                self.q,
                self.dq,
                self.position,
                self.quaternion,
                self.twist,
                self.jacobian,
                self.bias,
                mass=self.mass,
            )
        return tau

    def settle(self, position, quaternion=None, seconds: float = 2.0) -> hc.State:
        """Keeps sending one target until reference and effort stand still."""
        for _ in range(round(seconds / self.dt)):
            assert self.target(position, quaternion)
            self.step()
        return self.law.state


@pytest.fixture
def make_rig() -> Callable[..., Rig]:
    """Rig with fields of the config (`gains__stiffness=...`, `wrench_gains__...` reach into gains)."""

    def make(rate_hz: float = 1000.0, **fields) -> Rig:
        config = hc.ControllerConfig()
        for name, value in fields.items():
            owner, _, field = name.rpartition("__")
            target = getattr(config, owner) if owner else config
            assert hasattr(target, field), name
            setattr(target, field, value)
        return Rig(config, rate_hz)

    return make
