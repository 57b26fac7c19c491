# SPDX-License-Identifier: Apache-2.0
"""Records episodes as bags, lists and shows them."""

__version__ = "0.1.0"
