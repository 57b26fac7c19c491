# SPDX-License-Identifier: Apache-2.0
"""Who touches whom at the present moment: fingers, loose things, and what stands."""

from __future__ import annotations

from collections.abc import Iterable

import mujoco
import numpy as np

PADS = ("left_pad", "right_pad")  # of a hand whose fingers move, see panda.py


class Touch:
    """Contacts by what they mean.

    Args:
        model, data: of the world; contacts and poses of `data` must be up to date when asked.
        arms: names.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, arms: Iterable[str]) -> None:
        self._model, self._data = model, data
        free = model.jnt_type == mujoco.mjtJoint.mjJNT_FREE
        self.loose = tuple(int(body) for body in model.jnt_bodyid[free])
        self._pads: dict[str, tuple[int, ...]] = {}
        for arm in arms:
            pads = tuple(mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, f"{arm}/{pad}") for pad in PADS)
            if min(pads) >= 0:
                self._pads[arm] = pads
        self._all_pads = {pad for pads in self._pads.values() for pad in pads}
        solid = (model.geom_contype | model.geom_conaffinity) != 0
        self._solid = np.flatnonzero(solid)

    @property
    def hands(self) -> tuple[str, ...]:
        """Arms whose fingers move."""
        return tuple(self._pads)

    def carrying(self) -> tuple[str, ...]:
        """Arms between whose fingers a loose thing is that touches nothing that stands."""
        return tuple(
            arm
            for arm, pads in self._pads.items()
            if any(
                all(self._meets(body, pad) for pad in pads) and not self._rests(body) for body in self.loose
            )
        )

    def lies(self, body: int) -> bool:
        """Whether a loose thing rests on something that stands, and no finger touches it."""
        return self._rests(body) and not any(self._meets(body, pad) for pad in self._all_pads)

    def clear(self, body: int, distance_m: float) -> bool:
        """Whether nothing that moves is so near to a body that stands; its own moving parts go with it."""
        model, data = self._model, self._data
        roots, welds = model.body_rootid[model.geom_bodyid], model.body_weldid[model.geom_bodyid]
        own = [geom for geom in self._solid if roots[geom] == body]
        moving = [geom for geom in self._solid if roots[geom] != body and welds[geom] != 0]
        return not any(
            mujoco.mj_geomDistance(model, data, int(a), int(b), distance_m, None) < distance_m
            for a in own
            for b in moving
        )

    def _touched_by(self, body: int) -> list[int]:
        """Geometries that touch a loose thing."""
        roots = self._model.body_rootid[self._model.geom_bodyid]
        pairs = self._data.contact.geom
        found = []
        for first, second in pairs:
            if roots[first] == body:
                found.append(int(second))
            elif roots[second] == body:
                found.append(int(first))
        return found

    def _meets(self, body: int, geom: int) -> bool:
        return geom in self._touched_by(body)

    def _rests(self, body: int) -> bool:
        weld, bodies = self._model.body_weldid, self._model.geom_bodyid
        return any(weld[bodies[geom]] == 0 for geom in self._touched_by(body))
