# SPDX-License-Identifier: Apache-2.0
"""Whatever targets come, effort, its rate, the wrench and the reference stay within their bounds."""

import numpy as np

import hilserl_control as hc

CYCLES = 100_000
HOSTILE = np.array([np.nan, np.inf, -np.inf, 1e308, -1e300, 1e-310, 0.0, 1e6])


def hostile_target(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Position, quaternion and age: sometimes good, sometimes huge, sometimes no numbers at all."""
    position = np.array([0.5, 0.0, 0.2]) + rng.normal(size=3) * 10.0 ** rng.uniform(-3, 3)
    quaternion = rng.normal(size=4)
    quaternion /= np.linalg.norm(quaternion)
    age = 0.0
    kind = rng.integers(8)
    if kind == 0:
        position[rng.integers(3)] = rng.choice(HOSTILE)
    elif kind == 1:
        quaternion[rng.integers(4)] = rng.choice(HOSTILE)
    elif kind == 2:
        age = float(rng.choice([0.6, -3.0, np.nan, np.inf, 1e9]))
    return position, quaternion, age


def test_bounds_hold_for_1e5_updates():
    rng = np.random.default_rng(7)
    config = hc.ControllerConfig()
    law = hc.CartesianImpedance(config)
    q = np.array([0.0, -0.3, 0.0, -2.1, 0.0, 1.6, 0.8])
    position, quaternion = np.array([0.5, 0.0, 0.2]), np.array([1.0, 0.0, 0.0, 0.0])
    law.reset(q, position, quaternion, 0.0)
    jacobians = rng.normal(size=(64, 6, 7))
    speeds = rng.normal(size=(64, 13)) * 3.0
    dt, step = 0.001, config.max_effort_rate[0] * 0.001
    low, high = np.minimum(config.workspace_min, position), np.maximum(config.workspace_max, position)
    last = np.zeros(7)
    refused = 0
    for cycle in range(CYCLES):
        now = cycle * dt
        if cycle % 5 == 0:
            target, rotation, age = hostile_target(rng)
            refused += not law.set_target(target, rotation, now - age)
        dq, twist = speeds[cycle % 64, :7], speeds[cycle % 64, 7:]
        tau = law.update(now, dt, q, dq, position, quaternion, twist, jacobians[cycle // 100 % 64], dq)
        assert np.all(np.abs(tau) <= config.effort_limits), cycle
        assert np.max(np.abs(tau - last)) <= step + 1e-9, cycle
        last = tau
        if cycle % 10 == 0:
            state = law.state
            assert np.linalg.norm(state.wrench[:3]) <= config.wrench_cap[0] + 1e-9
            assert np.linalg.norm(state.wrench[3:]) <= config.wrench_cap[1] + 1e-9
            assert np.all(state.reference_position >= low)
            assert np.all(state.reference_position <= high)
    assert 500 < refused < CYCLES // 5
