"""Tests how the resource of a CloudTrail request is found if its record does not list any resources."""

from __future__ import annotations

from typing import Any

import pytest

from auditlane.importer.cloudtrail import infer_resource


@pytest.mark.parametrize(
    ("action", "parameters", "expected"),
    [
        ("DeleteRole", {"roleName": "auditor"}, "auditor"),
        ("DeleteRolePolicy", {"roleName": "auditor", "policyName": "inline"}, "inline"),
        ("DetachRolePolicy", {"roleName": "a", "policyArn": "arn:aws:iam::aws:policy/b"}, "arn:aws:iam::aws:policy/b"),
        ("DeleteSubnet", {"subnetId": "subnet-1"}, "subnet-1"),
        ("CreateSecret", {"name": "token", "clientRequestToken": "x"}, "token"),
        ("GetBucketPolicy", {"bucketName": "logs", "Host": "h"}, "logs"),
        ("CreateSubnet", {"vpcId": "vpc-1"}, None),
        ("DetachNetworkInterface", {"attachmentId": "a"}, None),
        ("DeleteRole", {"roleName": {"nested": 1}}, None),
        ("DeleteRole", {"roleName": ""}, None),
        ("DeleteParameter", None, None),
        ("", {"roleName": "a"}, None),
    ],
)
def test_the_resource_named_by_the_action(action: str, parameters: Any, expected: str | None) -> None:
    assert infer_resource(action, parameters) == expected
