# SPDX-License-Identifier: Apache-2.0
"""Actor and learner of HIL-SERL, and what connects them."""
