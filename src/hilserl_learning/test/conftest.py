# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # golden_fixtures, also under --import-mode=importlib


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
