# SPDX-License-Identifier: Apache-2.0
"""The assembler: the only place where sensors meet."""
