-- The data structure that readers see, one row per revision; append-only, so that it is its own history.
-- `scope` is `environment`, `tenant:<tenant id>` or `document:<name>`. Concurrent saves of one revision use one
-- deduplication token, so that the second insert has no effect and its caller finds the other's `save_id`.
CREATE TABLE IF NOT EXISTS {database}.settings (
    scope String,
    revision UInt64,
    save_id UUID,
    enabled Nullable(Bool),
    fields String COMMENT 'JSON array: name, displayName, displayType, sortable, filterable, showInTable, …',
    actions String DEFAULT '[]' COMMENT 'JSON array of the environment''s own actions: name, label',
    changed_by String,
    changed_at DateTime64(3, 'UTC')
) ENGINE = MergeTree
ORDER BY (scope, revision)
SETTINGS non_replicated_deduplication_window = 10000;
