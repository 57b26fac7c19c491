# SPDX-License-Identifier: Apache-2.0
"""The learner's answer to `learner/insert_transitions`: taken, or why not."""

from __future__ import annotations

import json
import uuid

from hilserl_agent.intake import InsertRefused
from hilserl_agent.learner_core import LearnerCore
from hilserl_agent.sender import Sender
from hilserl_agent.sessions import SenderBusy, SenderReplaced
from hilserl_msgs.srv import InsertTransitions

_Response = InsertTransitions.Response  # for its constants


class InsertService:
    """Answers requests. Whatever the answer, it says what the learner holds of that actor.

    Attributes:
        failure: why the learner cannot store anything any more (full disk); empty as long as it can. The node
            has to end then: everything acknowledged is safe, the rest stays with the actors.
    """

    def __init__(self, core: LearnerCore) -> None:
        self._core = core
        self._session = uuid.uuid4().hex
        self.failure = ""

    def answer(
        self, request: InsertTransitions.Request, response: InsertTransitions.Response
    ) -> InsertTransitions.Response:
        """Fills the response; `response.message` is empty when the batch was taken."""
        core = self._core
        try:
            if self.failure:
                raise OSError(self.failure)
            self._insert(request)
            response.accepted = True
        except SenderBusy as error:
            _refuse(response, _Response.BUSY, str(error))
        except SenderReplaced as error:
            _refuse(response, _Response.REPLACED, str(error))
        except InsertRefused as error:
            _refuse(response, _Response.REFUSED, str(error))
        except OSError as error:
            self.failure = (
                self.failure or f"transitions cannot be stored: {error}; free disk space and start again"
            )
            _refuse(response, _Response.NOT_STORED, self.failure)
        if request.config_hash != core.config_hash:
            response.configuration = json.dumps(core.task.shared_config())
        ledger = core.intake.ledger(request.actor_id)
        response.last_sequence, response.last_outbox = ledger.sequence, ledger.outbox_id
        response.last_episode = ledger.episode
        response.policy_version = core.policy_version
        response.learner_session = self._session
        return response

    def _insert(self, request: InsertTransitions.Request) -> None:
        sender = Sender(request.actor_id, request.session, request.outbox)
        self._core.check_identity(request.actor_id, request.config_hash, request.perception_id)
        self._core.sessions.admit(sender)
        self._core.insert(sender, list(request.transitions))


def _refuse(response: InsertTransitions.Response, reason: int, text: str) -> None:
    response.reason, response.message = reason, text
