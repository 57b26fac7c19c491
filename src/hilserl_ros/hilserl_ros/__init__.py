# SPDX-License-Identifier: Apache-2.0
"""What every node shares: topic names, QoS, message codecs, the node base. Nodes never import each other."""
