"""Runs calls to Frontegg's Python client 1.x. Reads [[call, …], …], and prints {"value": …} or {"error": …, "status":
…}.
"""

import json
import os
import sys

import requests
from frontegg import FronteggClient

client = None


def init(client_id, secret):
    global client
    client = FronteggClient(client_id, secret, base_url=os.environ["FRONTEGG_API_GATEWAY_URL"] + "/")
    return len(client._client.api_token)  # forces the token request, which is otherwise made lazily


def send(audit):
    audit = dict(audit)
    return client.send_audits(audit, audit.pop("tenantId"))


NAMES = {"tenantId": "tenant_id", "sortBy": "sort_by", "sortDirection": "sort_direction"}


def read(params):
    return client.get_audits(**{NAMES.get(name, name): value for name, value in params.items()})


def stats(params):
    return client.get_audit_stats(params["tenantId"])


def metadata():
    return client.get_audits_metadata()


def set_metadata(document):
    return client.set_audits_metadata(document)


WAYS = {
    "init": init,
    "send": send,
    "read": read,
    "stats": stats,
    "metadata": metadata,
    "setMetadata": set_metadata,
}


def call(what, *arguments):
    try:
        return {"value": WAYS[what](*arguments)}
    except requests.HTTPError as error:
        return {"error": str(error), "status": error.response.status_code}


print(json.dumps([call(*one) for one in json.load(sys.stdin)]), end="")
