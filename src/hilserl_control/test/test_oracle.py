# SPDX-License-Identifier: Apache-2.0
"""The law written a second time, in numpy and plainly, agrees with the C++ to 1e-9 over random runs."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import hilserl_control as hc


class Oracle:
    """README's equations, line by line. SVD and scipy where the C++ has LDLT and its own logarithm."""

    def __init__(self, config: hc.ControllerConfig, q, position, rotation, now):
        self.c = config
        self.active = self.profile(config.gains)
        self.goal = self.active
        self.reference = (position, rotation)
        self.q_null = q
        self.target = None
        self.stamp = now
        self.held = True
        self.w_i = np.zeros(6)
        self.w_f = np.zeros(6)
        self.frame = "base"
        self.tau = np.zeros(7)

    @staticmethod
    def profile(g: hc.Gains) -> dict[str, np.ndarray]:
        damping = 2 * g.damping_ratio * np.sqrt(g.stiffness) if g.damping is None else g.damping
        return {
            "root": np.sqrt(g.stiffness),
            "D": damping,
            "Ki": g.integral,
            "neg": g.clip_negative,
            "pos": g.clip_positive,
        }

    def update(self, now, dt, q, dq, position, rotation, twist, jacobian, bias):
        c = self.c
        self._follow(now, dt, position, rotation)
        a = 1 - np.exp(-dt / c.gain_time_constant)
        self.active = {k: (1 - a) * v + a * self.goal[k] for k, v in self.active.items()}
        g = self.active
        error = np.concatenate(
            [self.reference[0] - position, (self.reference[1] * rotation.inv()).as_rotvec()]
        )
        clipped = np.clip(error, -g["neg"], g["pos"])
        cap = np.repeat(c.integral_cap, 3)
        grown = self.w_i + g["Ki"] * clipped * dt
        self.w_i = np.clip(np.where(self.goal["Ki"] > 0, grown, (1 - a) * self.w_i), -cap, cap)
        wanted = np.zeros(6)
        if not self.held and now - self.stamp <= c.wrench_timeout:
            wanted = np.clip(self.target[2], -c.wrench_limit_negative, c.wrench_limit_positive)
            turn = rotation if self.frame == "tcp" else Rotation.identity()
            wanted = np.concatenate([turn.apply(wanted[:3]), turn.apply(wanted[3:])])
        for part, rate in ((slice(0, 3), c.max_wrench_rate[0]), (slice(3, 6), c.max_wrench_rate[1])):
            step = wanted[part] - self.w_f[part]
            self.w_f[part] += step * min(1.0, rate * dt / max(np.linalg.norm(step), 1e-300))
        wrench = g["root"] ** 2 * clipped - g["D"] * twist + self.w_i + self.w_f
        for part, limit in ((slice(0, 3), c.wrench_cap[0]), (slice(3, 6), c.wrench_cap[1])):
            wrench[part] *= min(1.0, limit / max(np.linalg.norm(wrench[part]), 1e-300))
        tau = jacobian.T @ wrench + self._nullspace(q, dq, jacobian) + self._repulsion(q) + bias
        tau = np.clip(tau, -c.effort_limits, c.effort_limits)
        self.tau = self.tau + np.clip(tau - self.tau, -c.max_effort_rate * dt, c.max_effort_rate * dt)
        return self.tau, wrench, clipped

    def _follow(self, now, dt, position, rotation):
        fresh = self.target is not None and abs(now - self.stamp) <= self.c.target_timeout
        if not fresh and not self.held:
            self.reference = (position, rotation)
            self.w_i = np.zeros(6)
        self.held = not fresh
        if self.held:
            return
        a = 1 - np.exp(-dt / self.c.reference_time_constant)
        step = a * (np.clip(self.target[0], self.c.workspace_min, self.c.workspace_max) - self.reference[0])
        turn = a * (self.target[1] * self.reference[1].inv()).as_rotvec()
        step *= min(1.0, self.c.max_linear_speed * dt / max(np.linalg.norm(step), 1e-300))
        turn *= min(1.0, self.c.max_angular_speed * dt / max(np.linalg.norm(turn), 1e-300))
        self.reference = (self.reference[0] + step, Rotation.from_rotvec(turn) * self.reference[1])

    def _nullspace(self, q, dq, jacobian):
        k = np.full(7, self.c.nullspace_stiffness)
        k[0] += self.c.joint1_nullspace_stiffness
        spring = k * (self.q_null - q) - 2 * self.c.nullspace_damping_ratio * np.sqrt(k) * dq
        _, s, vt = np.linalg.svd(jacobian, full_matrices=False)
        shrink = s**2 / (s**2 + self.c.nullspace_regularization**2)
        return spring - vt.T @ (shrink * (vt @ spring))

    def _repulsion(self, q):
        m = self.c.joint_limit_margin
        below = np.clip((self.c.joint_lower + m - q) / m, 0, 1)
        above = np.clip((q - self.c.joint_upper + m) / m, 0, 1)
        return self.c.joint_limit_effort * (below - above)


def random_gains(rng: np.random.Generator) -> hc.Gains:
    gains = hc.Gains()
    gains.stiffness = rng.uniform(0, [3000] * 3 + [150] * 3)
    gains.damping = None if rng.random() < 0.5 else rng.uniform(0, [100] * 3 + [10] * 3)
    gains.damping_ratio = rng.uniform(0.3, 1.5, 6)
    gains.integral = rng.uniform(0, 300, 6) * (rng.random(6) < 0.5)
    gains.clip_negative = rng.uniform(0, [0.02] * 3 + [0.2] * 3)
    gains.clip_positive = rng.uniform(0, [0.02] * 3 + [0.2] * 3)
    return gains


def random_rotation(rng: np.random.Generator, angle: float) -> Rotation:
    return Rotation.from_rotvec(rng.normal(size=3) * angle) * Rotation.from_quat([1, 0, 0, 0])


@pytest.mark.parametrize("seed", range(8))
def test_law_agrees_with_the_oracle(seed):
    rng = np.random.default_rng(seed)
    config = hc.ControllerConfig()
    config.gains = random_gains(rng)
    config.wrench_cap = rng.uniform([10, 1], [60, 15])
    q = rng.uniform(config.joint_lower, config.joint_upper)
    position, rotation = np.array([0.5, 0.0, 0.2]), random_rotation(rng, 0.2)
    law = hc.CartesianImpedance(config)
    law.reset(q, position, rotation.as_quat(), 0.0)
    oracle = Oracle(config, q, position, rotation, 0.0)
    now = 0.0
    for cycle in range(2000):
        dt = rng.uniform(0.0005, 0.002)
        now += dt
        if cycle % 100 == 50 and not 900 <= cycle < 1400:  # in between the target becomes stale
            target = (position + rng.normal(size=3) * 0.2, random_rotation(rng, 0.5), rng.normal(size=6) * 8)
            frame = str(rng.choice(["base", "tcp"]))
            assert law.set_target(target[0], target[1].as_quat(), now, target[2], frame)
            oracle.target, oracle.stamp, oracle.frame = target, now, frame
        if cycle % 700 == 300:
            gains = random_gains(rng)
            law.set_gains(gains)
            oracle.goal = Oracle.profile(gains)
        q = np.clip(q + rng.normal(size=7) * 0.002, config.joint_lower - 0.05, config.joint_upper + 0.05)
        position = position + rng.normal(size=3) * 0.0005
        rotation = Rotation.from_rotvec(rng.normal(size=3) * 0.002) * rotation
        dq, twist = rng.normal(size=7) * 0.3, rng.normal(size=6) * 0.05
        jacobian, bias = rng.normal(size=(6, 7)) * 0.5, rng.normal(size=7)
        tau = law.update(now, dt, q, dq, position, rotation.as_quat(), twist, jacobian, bias)
        expected, wrench, clipped = oracle.update(now, dt, q, dq, position, rotation, twist, jacobian, bias)
        state = law.state
        assert state.holding == oracle.held
        np.testing.assert_allclose(state.error_clipped, clipped, atol=1e-9)
        np.testing.assert_allclose(state.commanded_wrench, oracle.w_f, atol=1e-9)
        np.testing.assert_allclose(state.wrench, wrench, atol=1e-9)
        np.testing.assert_allclose(tau, expected, atol=1e-9)
