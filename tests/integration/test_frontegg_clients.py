"""Frontegg's own clients, unmodified, against the service: nothing but the URL is changed."""

from __future__ import annotations

import pytest
from serving import Served


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The service while its store is away: a token needs none."""
    with Served(tmp_path_factory.mktemp("served")) as served:
        yield served


def test_a_client_gets_its_token(frontegg_client, served):
    issued = served.client("vendor")
    [result] = frontegg_client.call(served.url, ["init", issued.client.client_id, issued.secret])
    assert "value" in result, result


def test_a_wrong_key_is_an_error_of_the_client(frontegg_client, served):
    issued = served.client("vendor")
    tries = {"FRONTEGG_AUTHENTICATOR_NUMBER_OF_TRIES": "1"}
    [result] = frontegg_client.call(served.url, ["init", issued.client.client_id, "wrong"], **tries)
    assert "value" not in result
