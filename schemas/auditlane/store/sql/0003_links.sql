-- One-time links that were opened, one row per link. All claims of a link are inserted under the same deduplication
-- token, so that only the first is stored; its `claim_id` identifies the caller. A row outlives its link by a day, to
-- allow for differing clocks.
CREATE TABLE IF NOT EXISTS {database}.link_claims (
    jti String COMMENT 'Id of the link',
    claim_id UUID COMMENT 'Id of the claim that opened the link',
    expires_at DateTime('UTC') COMMENT 'When the link expires'
) ENGINE = MergeTree
ORDER BY jti
TTL expires_at + INTERVAL 1 DAY
SETTINGS non_replicated_deduplication_window = 10000;
