# SPDX-License-Identifier: Apache-2.0
"""Render one frame off-screen with the OpenGL that MUJOCO_GL names; exit non-zero if the picture is empty."""

from __future__ import annotations

import sys

import mujoco

_SCENE = """<mujoco><worldbody>
<light pos="0 0 3"/><camera name="c" pos="0 0 3"/><geom size=".5" rgba="1 1 1 1"/>
</worldbody></mujoco>"""


def main() -> int:
    """Return 0 if a white ball under a lamp is seen, else 1."""
    model = mujoco.MjModel.from_xml_string(_SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    with mujoco.Renderer(model, 32, 32) as renderer:
        renderer.update_scene(data, "c")
        return 0 if renderer.render().max() > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
