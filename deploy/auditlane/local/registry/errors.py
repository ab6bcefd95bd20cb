"""The registry's error responses, with Confluent's error codes and wording."""

from __future__ import annotations


class ApiError(Exception):
    """An error response. `code` is Confluent's error code, whose first three digits are the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        return int(str(self.code)[:3])


def subject_not_found(subject: str) -> ApiError:
    return ApiError(40401, f"Subject '{subject}' not found.")


def version_not_found(version: int) -> ApiError:
    return ApiError(40402, f"Version {version} not found.")


def schema_not_found(schema_id: int | str | None = None) -> ApiError:
    return ApiError(40403, "Schema not found" if schema_id is None else f"Schema {schema_id} not found")


def subject_soft_deleted(subject: str) -> ApiError:
    return ApiError(40404, f"Subject '{subject}' was soft deleted.Set permanent=true to delete permanently")


def subject_not_soft_deleted(subject: str) -> ApiError:
    return ApiError(40405, f"Subject '{subject}' was not deleted first before being permanently deleted")


def version_soft_deleted(subject: str, version: str) -> ApiError:
    message = f"Subject '{subject}' Version {version} was soft deleted.Set permanent=true to delete permanently"
    return ApiError(40406, message)


def version_not_soft_deleted(subject: str, version: int) -> ApiError:
    message = f"Subject '{subject}' Version {version} was not deleted first before being permanently deleted"
    return ApiError(40407, message)


def compatibility_not_configured(subject: str) -> ApiError:
    return ApiError(40408, f"Subject '{subject}' does not have subject-level compatibility configured")


def mode_not_configured(subject: str) -> ApiError:
    return ApiError(40409, f"Subject '{subject}' does not have subject-level mode configured")


def incompatible(subject: str, reasons: list[str]) -> ApiError:
    return ApiError(
        409,
        f'Schema being registered is incompatible with an earlier schema for subject "{subject}", '
        f"details: [{', '.join(reasons)}]",
    )


def invalid_schema(message: str) -> ApiError:
    return ApiError(42201, message)


def invalid_version(version: str) -> ApiError:
    return ApiError(
        42202,
        f"The specified version '{version}' is not a valid version id. "
        'Allowed values are between [1, 2^31-1] and the string "latest"',
    )


def invalid_level() -> ApiError:
    return ApiError(
        42203,
        "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, "
        "forward_transitive, and full_transitive",
    )


def invalid_mode() -> ApiError:
    return ApiError(42204, "Invalid mode. Valid values are READWRITE, READONLY, READONLY_OVERRIDE, IMPORT.")


def not_permitted(message: str) -> ApiError:
    return ApiError(42205, message)


def referenced(subject: str, version: int) -> ApiError:
    key = f"{{magic=1,keytype=SCHEMA,subject={subject},version={version}}}"
    return ApiError(42206, f"One or more references exist to the schema {key}.")


def invalid_subject(subject: str) -> ApiError:
    return ApiError(42208, f"The specified subject '{subject}' is not a valid subject.")


def store_failed(what: str) -> ApiError:
    return ApiError(50001, f"Error in the backend data store: {what}")
