-- The data structure that readers see, one row per revision; append-only, so that it is its own history.
-- `scope` is `environment`, `tenant:<tenant id>` or `document:<name>`. Concurrent saves of one revision use one
-- deduplication token, so that the second insert has no effect and its caller finds the other's `save_id`.
CREATE TABLE IF NOT EXISTS {database}.settings (
    scope String COMMENT 'environment, tenant:<tenant id> or document:<name>',
    revision UInt64 COMMENT 'Number of the revision within the scope',
    save_id UUID COMMENT 'Id of the save that created the revision',
    enabled Nullable(Bool) COMMENT 'Whether readers see the log, NULL if inherited',
    fields String COMMENT 'JSON array: name, displayName, displayType, sortable, filterable, showInTable, …',
    actions String DEFAULT '[]' COMMENT 'JSON array of the environment''s own actions: name, label',
    changed_by String COMMENT 'Who saved the revision',
    changed_at DateTime64(3, 'UTC') COMMENT 'When the revision was saved'
) ENGINE = MergeTree
ORDER BY (scope, revision)
SETTINGS non_replicated_deduplication_window = 10000;
