-- One-time links that were opened, one row a link. Everybody who opens a link inserts under the same deduplication token,
-- so that only the first insert is stored; its `claim_id` tells whose. A row outlives its link by a day, for clocks.
CREATE TABLE IF NOT EXISTS {database}.link_claims (
    jti String,
    claim_id UUID,
    expires_at DateTime('UTC')
) ENGINE = MergeTree
ORDER BY jti
TTL expires_at + INTERVAL 1 DAY
SETTINGS non_replicated_deduplication_window = 10000;
