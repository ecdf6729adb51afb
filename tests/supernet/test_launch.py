"""Which of several processes this one is, read from the environment of torchrun."""

from __future__ import annotations

import pytest

from mosegedge.errors import UsageError
from mosegedge.supernet.launch import Member, member_from

ENVIRONMENT = {"WORLD_SIZE": "4", "RANK": "2", "MASTER_ADDR": "a", "MASTER_PORT": "5"}


def test_a_member_is_read_from_the_environment_of_torchrun():
    assert member_from(ENVIRONMENT) == Member(rank=2, size=4, beside=4, host="a", port=5)
    assert member_from({**ENVIRONMENT, "LOCAL_WORLD_SIZE": "2"}).beside == 2
    assert member_from({**ENVIRONMENT, "TORCHELASTIC_USE_AGENT_STORE": "True"}).hosted


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"RANK": "4"}, "RANK is 4"),
        ({"RANK": "one"}, "RANK is one"),
        ({"MASTER_ADDR": ""}, "MASTER_ADDR is not set"),
        ({"MASTER_PORT": ""}, "MASTER_PORT is not set"),
        ({"WORLD_SIZE": "0"}, "^WORLD_SIZE is 0"),
        ({"LOCAL_WORLD_SIZE": "0"}, "LOCAL_WORLD_SIZE is 0"),
    ],
)
def test_an_environment_that_makes_no_sense_is_refused(changed, said):
    with pytest.raises(UsageError, match=said) as refusal:
        member_from({**ENVIRONMENT, **changed})
    assert "torchrun --nproc-per-node N" in refusal.value.fix
