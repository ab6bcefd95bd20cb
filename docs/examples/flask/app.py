"""A small document service with an audit log for each of its tenants."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from flask import Flask, Response, abort, request
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user

from auditlane.integrations.flask import Audit, AuditRoute
from auditlane.sdk.context import current


class User(UserMixin):
    def __init__(self, user_id: str, login: str, tenant: str, password: str, *, may_delete: bool) -> None:
        self.id, self.login, self.tenant, self.password = user_id, login, tenant, password
        self.may_delete = may_delete


USERS = [
    User("u-1", "jane@acme.example", "acme", "jane's password", may_delete=True),
    User("u-2", "sam@acme.example", "acme", "sam's password", may_delete=False),
    User("u-3", "kim@globex.example", "globex", "kim's password", may_delete=True),
]
documents: dict[tuple[str, str], str] = {}  # text by tenant and name

app = Flask(__name__)
app.secret_key = secrets.token_bytes()
logins = LoginManager(app)
audit = Audit(
    app,
    routes={
        "PUT /documents/<name>": "document.saved",
        "DELETE /documents/<name>": AuditRoute(action="document.deleted", severity="Medium"),
        "GET /export": AuditRoute(action="data.exported", resource="document"),
    },
    tenant=lambda _: getattr(current_user, "tenant", None),
)


@logins.user_loader
def user_by_id(user_id: str) -> User | None:
    return next((user for user in USERS if user.id == user_id), None)


@app.post("/login")
def log_in() -> str:
    given = request.get_json()
    user = next((user for user in USERS if user.login == given["login"]), None)
    context = current()
    if user is not None and context is not None:
        context.tenant_id = user.tenant  # even if the attempt fails
    if user is None or not secrets.compare_digest(user.password, given["password"]):
        audit.login_failed(given["login"], reason="unknown_user" if user is None else "bad_credentials")
        abort(401)
    login_user(user)
    return ""


@app.post("/logout")
@login_required
def log_out() -> str:
    logout_user()
    return ""


@app.put("/documents/<name>")
@login_required
def save(name: str) -> str:
    documents[current_user.tenant, name] = request.get_json()["text"]
    return ""


@app.delete("/documents/<name>")
@login_required
def delete(name: str) -> str:
    if not current_user.may_delete:
        abort(403)
    if documents.pop((current_user.tenant, name), None) is None:
        abort(404)
    return ""


@app.get("/export")
@login_required
def export() -> Response:
    tenant = current_user.tenant

    def lines() -> Iterator[str]:
        for (owner, name), text in documents.items():
            if owner == tenant:
                yield f"{name}: {text}\n"

    return Response(lines(), mimetype="text/plain")
