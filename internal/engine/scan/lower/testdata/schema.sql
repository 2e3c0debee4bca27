CREATE TABLE IF NOT EXISTS `events` (
    log LowCardinality(String),
    stream LowCardinality(String),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    ingested DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    ptr String CODEC(ZSTD),
    message String CODEC(ZSTD(3)),
    names Array(LowCardinality(String)) CODEC(ZSTD),
    kinds Array(UInt8) CODEC(ZSTD),
    texts Array(String) CODEC(ZSTD(3)),
    numbers Array(Float64) CODEC(ZSTD),
    INDEX texts_filter texts TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toYYYYMMDD(time)
ORDER BY (log, time)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS `logs`.`events_shard` ON CLUSTER `audit` (
    log LowCardinality(String),
    stream LowCardinality(String),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    ingested DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    ptr String CODEC(ZSTD),
    message String CODEC(ZSTD(3)),
    names Array(LowCardinality(String)) CODEC(ZSTD),
    kinds Array(UInt8) CODEC(ZSTD),
    texts Array(String) CODEC(ZSTD(3)),
    numbers Array(Float64) CODEC(ZSTD),
    INDEX texts_filter texts TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = ReplicatedMergeTree
PARTITION BY toYYYYMMDD(time)
ORDER BY (log, time);

CREATE TABLE IF NOT EXISTS `logs`.`events` ON CLUSTER `audit` AS `logs`.`events_shard`
ENGINE = Distributed('audit', 'logs', 'events_shard', cityHash64(ptr));

DELETE FROM `events` WHERE log = '111122223333:it\'s';

DELETE FROM `logs`.`events_shard` ON CLUSTER `audit` WHERE log = '111122223333:it\'s' AND stream = 's';
