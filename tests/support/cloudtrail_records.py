"""CloudTrail records: synthetic ones for each shape that the import distinguishes, and real ones."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

ACCOUNT: Final = "123456789012"
BEGIN: Final = datetime(2025, 2, 3, 11, 42, 18, tzinfo=UTC)
_NEAR = (folder / "shared" / "data" / "cloudtrail" / "events.jsonl.gz" for folder in Path(__file__).parents)
REAL: Final = next((file for file in _NEAR if file.is_file()), None)
needs_real = pytest.mark.skipif(REAL is None, reason="the folder of real CloudTrail records is missing")

_PERSON: Final = {
    "type": "IAMUser",
    "principalId": "AIDAEXAMPLE000000001",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/operator",
    "accountId": ACCOUNT,
    "userName": "operator",
}
_ROLE: Final = {
    "type": "AssumedRole",
    "principalId": "AROAEXAMPLE000000001:deploy",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/deploy",
    "accountId": ACCOUNT,
    "sessionContext": {"attributes": {"mfaAuthenticated": "false", "creationDate": "2025-02-03T11:40:00Z"}},
}
_SHAPES: Final[list[dict[str, Any]]] = [
    {
        "userIdentity": _PERSON,
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetBucketPolicy",
        "userAgent": "[Boto3/1.40 Python/3.12 Linux/6.8]",
        "requestParameters": {"bucketName": "reports", "Host": "reports.s3.eu-central-1.amazonaws.com"},
        "additionalEventData": {"bytesTransferredIn": 0, "x-amz-id-2": "z9EK+5XR/A="},
        "resources": [{"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::reports"}],
        "tlsDetails": {"tlsVersion": "TLSv1.3"},
    },
    {
        "userIdentity": _ROLE,
        "eventSource": "iam.amazonaws.com",
        "eventName": "DeleteRole",
        "requestParameters": {"roleName": "old-deployer"},
        "readOnly": False,
    },
    {
        "userIdentity": _PERSON,
        "eventSource": "ec2.amazonaws.com",
        "eventName": "StopInstances",
        "errorCode": "Client.UnauthorizedOperation",
        "errorMessage": "You are not authorized to perform this operation.",
    },
    {
        "userIdentity": _PERSON,
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetBucketTagging",
        "errorCode": "NoSuchTagSet",
        "errorMessage": "The TagSet does not exist",
        "sourceIPAddress": "2001:db8::17",
    },
    {
        "userIdentity": {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT},
        "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin",
        "eventType": "AwsConsoleSignIn",
        "responseElements": {"ConsoleLogin": "Failure"},
    },
    {
        "userIdentity": {"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"},
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRole",
        "sourceIPAddress": "autoscaling.amazonaws.com",
        "userAgent": "autoscaling.amazonaws.com",
        "sharedEventID": "0a1b2c3d-0000-4000-8000-000000000001",
    },
    {
        "userIdentity": {"type": "WebIdentityUser", "principalId": "oidc:build", "userName": "build"},
        "eventSource": "kms.amazonaws.com",
        "eventName": "Decrypt",
        "requestParameters": {"encryptionContext": {"purpose": "überprüft", "sizes": [1, 2.5, None, True]}},
        "eventVersion": "1.11",
    },
    {
        "userIdentity": _ROLE,
        "eventSource": "ssm.amazonaws.com",
        "eventName": "GetParameter",
        "requestParameters": {"name": "/app/limit", "withDecryption": True},
        "responseElements": None,
    },
]
_OUTCOMES: Final = ("success", "success", "denied", "failure", "failure", "success", "success", "success")


def records(count: int = len(_SHAPES), account: str = ACCOUNT) -> list[dict[str, Any]]:
    """Return `count` records that cycle through the shapes, one per second from BEGIN. Each has its own id. The result
    is deterministic.
    """
    return [
        {
            "eventVersion": "1.08",
            "eventTime": (BEGIN + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventID": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{account}/{number}")),
            "requestID": f"REQUEST{number:09d}",
            "awsRegion": "eu-central-1",
            "sourceIPAddress": "192.0.2.17",
            "userAgent": "aws-cli/2.31",
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": account,
        }
        | _SHAPES[number % len(_SHAPES)]
        for number in range(count)
    ]


def outcomes(count: int = len(_SHAPES)) -> list[str]:
    """Return the outcome that each record in `records(count)` has as an event."""
    return [_OUTCOMES[number % len(_OUTCOMES)] for number in range(count)]


def lines(count: int = len(_SHAPES), account: str = ACCOUNT) -> bytes:
    """Return `records(count)` as JSON lines."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records(count, account)).encode()
