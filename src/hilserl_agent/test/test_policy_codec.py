# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hilserl_agent.policy_codec import PolicyAssembler, PolicyRejected, encode_policy

BLOB = np.random.default_rng(0).bytes(2500)


def messages(version: int, config_hash: str = "abc"):
    return encode_policy(BLOB, version, 10 * version, config_hash, chunk_bytes=1000)


def test_a_policy_is_split_and_put_together_in_any_order():
    chunks = messages(1)
    assert [len(chunk.data) for chunk in chunks] == [1000, 1000, 500]
    assembler = PolicyAssembler("abc")
    assert assembler.add(chunks[2]) is None
    assert assembler.add(chunks[0]) is None
    policy = assembler.add(chunks[1])
    assert policy is not None
    assert (policy.blob, policy.version, policy.gradient_steps) == (BLOB, 1, 10)


def test_a_policy_below_the_chunk_size_is_one_message():
    assert len(encode_policy(BLOB, 1, 0, "abc")) == 1


def test_a_corrupt_chunk_is_refused_and_the_next_version_accepted():
    assembler = PolicyAssembler("abc")
    chunks = messages(1)
    chunks[1].data[17] ^= 1
    assembler.add(chunks[0])
    assembler.add(chunks[1])
    with pytest.raises(PolicyRejected, match="policy 1 is corrupt"):
        assembler.add(chunks[2])
    assert assembler.version == 0
    assert [assembler.add(chunk) is not None for chunk in messages(2)] == [False, False, True]


def test_an_intact_repetition_of_a_corrupt_policy_is_accepted():
    assembler = PolicyAssembler("abc")
    broken = encode_policy(BLOB, 1, 0, "abc")[0]
    broken.data[0] ^= 1
    with pytest.raises(PolicyRejected):
        assembler.add(broken)
    assert assembler.add(encode_policy(BLOB, 1, 0, "abc")[0]) is not None


def test_older_versions_are_refused():
    assembler = PolicyAssembler("abc")
    for chunk in messages(5):
        assembler.add(chunk)
    with pytest.raises(PolicyRejected, match="4 is older than 5"):
        assembler.add(messages(4)[0])
    assert assembler.version == 5


def test_chunks_of_two_versions_never_mix():
    assembler = PolicyAssembler("abc")
    old, new = messages(1), messages(2)
    assembler.add(old[0])
    assembler.add(new[0])
    with pytest.raises(PolicyRejected, match="older"):
        assembler.add(old[1])
    assembler.add(new[1])
    policy = assembler.add(new[2])
    assert policy is not None
    assert policy.version == 2


def test_an_incomplete_policy_is_given_up_for_a_newer_one_and_said():
    said = []
    assembler = PolicyAssembler("abc", said.append)
    old, new = messages(1), messages(2)
    assert [assembler.add(chunk) for chunk in old[:2]] == [None, None]
    assert assembler.version == 0
    assert [assembler.add(chunk) is not None for chunk in new] == [False, False, True]
    assert said == ["policy 1 is incomplete, 2 of 3 chunks came; policy 2 takes its place"]
    assert assembler.version == 2


def test_a_latched_repetition_is_not_news():
    assembler = PolicyAssembler("abc")
    for chunk in messages(3):
        assembler.add(chunk)
    assert [assembler.add(chunk) for chunk in messages(3)] == [None, None, None]


def test_foreign_configuration_is_refused_and_both_are_named():
    with pytest.raises(PolicyRejected, match=r"xyz.*abc"):
        PolicyAssembler("abc").add(messages(1, "xyz")[0])


def test_malformed_chunks_are_refused():
    chunk = messages(1)[0]
    chunk.chunk_index = 3
    with pytest.raises(PolicyRejected, match="malformed"):
        PolicyAssembler("abc").add(chunk)


@pytest.mark.parametrize(("blob", "version"), [(b"", 1), (b"x", 0)])
def test_nothing_cannot_be_encoded(blob, version):
    with pytest.raises(ValueError, match="policy"):
        encode_policy(blob, version, 0, "abc")
