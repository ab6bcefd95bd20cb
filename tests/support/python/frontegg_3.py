"""Runs calls to Frontegg's Python client 2.x or 3.x. Reads [[call, …], …], and prints each call's value or error as
JSON.
"""

import json
import sys

import requests
from frontegg.common.clients import AuditsClient, HttpClient
from frontegg.helpers.frontegg_urls import frontegg_urls

client = None


def init(client_id, secret):
    global client
    client = HttpClient(client_id, secret, frontegg_urls.audits_service["base_url"])


def send(audit):
    audit = dict(audit)
    return AuditsClient(client).send_audit(audit, audit.pop("tenantId"))


def read(params):
    params = dict(params)
    tenant = params.pop("tenantId")
    params |= params.pop("filters", {})
    return body_of(client.get(params=params, tenant_id=tenant))


def stats(params):
    return body_of(client.get("stats", tenant_id=params["tenantId"]))


def body_of(response):
    response.raise_for_status()
    return response.json()


def call(what, *arguments):
    try:
        return {"value": {"init": init, "send": send, "read": read, "stats": stats}[what](*arguments)}
    except requests.HTTPError as error:
        return {"error": str(error), "status": error.response.status_code}


print(json.dumps([call(*one) for one in json.load(sys.stdin)]), end="")
