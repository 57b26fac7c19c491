# SPDX-License-Identifier: Apache-2.0
"""Pictures as image_transport sends them, raw and compressed, to RGB arrays and back.

The compressed form is that of image_transport's `compressed` plugin (compressed_publisher.cpp): the format
string names the encoding of the raw picture, then that of the file, e.g. `rgb8; jpeg compressed bgr8`.

rgb8 and bgr8 are read by numpy. Every other encoding (mono8, yuv422_yuy2, bayer_*) needs cv_bridge: whether
it is installed is decided here and nowhere else.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hilserl_ros import codec

Pixels = NDArray[np.uint8]

HAS_CV_BRIDGE = find_spec("cv_bridge") is not None


def rgb_from_image(message: Image) -> Pixels:
    """(H, W, 3) uint8 RGB of a raw picture; of rgb8 and bgr8 it shares the memory.

    Raises:
        ValueError: encoding that cannot be turned into RGB here, or a size that does not fit the data.
    """
    if message.encoding in ("rgb8", "bgr8"):
        return codec.array_from_image(message)
    if not HAS_CV_BRIDGE:
        raise ValueError(
            f"image: encoding '{message.encoding}' must be rgb8 or bgr8; other encodings need cv_bridge "
            "(apt install ros-jazzy-cv-bridge)"
        )
    return _through_cv_bridge(message)


def rgb_from_compressed(message: CompressedImage) -> Pixels:
    """(H, W, 3) uint8 RGB of a JPEG or PNG picture.

    Raises:
        ValueError: no picture in it, a damaged one, or one of more than 8 bits a colour.
    """
    data = np.frombuffer(message.data, np.uint8)
    what = f"compressed image: {data.size} bytes of format '{message.format}'"
    try:
        stored = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error as error:
        raise ValueError(f"{what}: {error}") from error
    if stored is None:
        raise ValueError(f"{what} are no JPEG or PNG picture; example: rgb8; jpeg compressed bgr8")
    # As the plugin's subscriber does it: with `compressed rgb8` the colours are stored the wrong way round.
    _, _, how = message.format.partition(";")
    return np.asarray(stored if "compressed rgb" in how else stored[..., ::-1], np.uint8)


def compressed_image(
    rgb: Pixels, stamp_ns: int, frame_id: str, file_format: str = "jpeg", *, quality: int = 95, level: int = 3
) -> CompressedImage:
    """A picture as image_transport's compressed plugin would send it.

    Args:
        rgb: (H, W, 3) uint8.
        stamp_ns: ROS time of the exposure.
        frame_id: optical frame of the camera.
        file_format: jpeg or png.
        quality: of JPEG, 1 .. 100.
        level: of PNG, 0 .. 9: effort, not quality.

    Raises:
        ValueError: not encodable.
    """
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    if file_format == "jpeg":
        done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    else:
        done, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, level])
    if not done:
        raise ValueError(f"image of shape {rgb.shape} cannot be encoded as {file_format}")
    return CompressedImage(
        header=codec.header(stamp_ns, frame_id),
        format=f"rgb8; {file_format} compressed bgr8",
        data=codec.bytes_field(data.ravel()),
    )


def rgb_from_any(message: Image | CompressedImage) -> Pixels:
    """(H, W, 3) uint8 RGB of either form.

    Raises:
        ValueError: unreadable.
    """
    return rgb_from_compressed(message) if isinstance(message, CompressedImage) else rgb_from_image(message)


def camera_info(
    width: int,
    height: int,
    stamp_ns: int,
    frame_id: str,
    *,
    focal_px: tuple[float, float] = (0.0, 0.0),
    centre_px: tuple[float, float] = (0.0, 0.0),
    model: str = "",
    coefficients: tuple[float, ...] = (),
) -> CameraInfo:
    """Calibration message; with zeros for K, which by convention says `uncalibrated`."""
    (fx, fy), (cx, cy) = focal_px, centre_px
    return CameraInfo(
        header=codec.header(stamp_ns, frame_id),
        width=width,
        height=height,
        distortion_model=model,
        d=[float(value) for value in coefficients],
        k=[fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0 if fx else 0.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0 if fx else 0.0, 0.0],
    )


def _through_cv_bridge(message: Image) -> Pixels:
    from cv_bridge import CvBridge

    converted: Any
    try:
        converted = CvBridge().imgmsg_to_cv2(message, "rgb8")
    except Exception as error:  # CvBridgeError, and whatever its C++ part raises on data that does not fit
        raise ValueError(f"image: encoding '{message.encoding}': cv_bridge: {error}") from error
    return np.asarray(converted, np.uint8)
