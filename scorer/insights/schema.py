"""The database of insights: tables of what was heard, views of what it means."""

from __future__ import annotations

from typing import Final

APPLICATION: Final = 0x5C02E125
"""SQLite's application id of our files."""
FORMAT: Final = 1
"""Raised whenever older code could misread a file."""

TABLES: Final = """
-- A lead's time between two erasures. All rows of a lead hang on a life, and none of them has its id.
CREATE TABLE lives (
    life INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,     -- of the lead's id, under this file's own key
    lead TEXT,                -- the lead's id; NULL: forgotten
    ends INTEGER,             -- sequence number of the lead.erased that ended it; NULL: it goes on
    erased_at INTEGER,        -- ms, likewise: what was received until then belongs to it
    person INTEGER NOT NULL   -- the life that stands for it: itself, or the one at the end of the merges
);
CREATE INDEX lives_by_person ON lives (person);
CREATE INDEX lives_by_digest ON lives (digest);
CREATE UNIQUE INDEX lives_going_on ON lives (digest) WHERE ends IS NULL;
CREATE INDEX lives_by_lead ON lives (lead) WHERE lead IS NOT NULL;
CREATE UNIQUE INDEX lives_ended ON lives (digest, ends) WHERE ends IS NOT NULL;

-- The first fact of a lead, and what facts were the first to say about it.
CREATE TABLE firsts (
    life INTEGER NOT NULL REFERENCES lives,
    after INTEGER NOT NULL,   -- ms of the erase record in the log before it; 0: none
    at INTEGER NOT NULL,      -- event time, ms
    product TEXT,
    segment TEXT,
    source TEXT,
    PRIMARY KEY (life, after)
) WITHOUT ROWID;

-- An outcome's id is its lead's and the sequence number.
CREATE TABLE outcomes (
    life INTEGER NOT NULL REFERENCES lives,
    sequence INTEGER NOT NULL,
    kind TEXT NOT NULL,       -- qualified, disqualified, stage, merged, erased
    at INTEGER NOT NULL,      -- ms
    stage TEXT,
    previous TEXT,
    reason TEXT,
    cause TEXT,
    deal_stage TEXT,
    total REAL,
    band TEXT,
    owner TEXT,
    into_life INTEGER REFERENCES lives,
    PRIMARY KEY (life, sequence)
) WITHOUT ROWID;
CREATE INDEX outcomes_by_time ON outcomes (kind, at);
CREATE INDEX outcomes_into ON outcomes (into_life) WHERE into_life IS NOT NULL;

-- What the log has said of a lead that decides which of its facts count.
CREATE TABLE heard (
    digest BLOB PRIMARY KEY,
    after INTEGER NOT NULL,   -- ms of the latest erase record; 0: none
    blocked INTEGER NOT NULL,
    moved INTEGER NOT NULL    -- 1: part of another lead since then
) WITHOUT ROWID;

-- How far each topic has been read: the next offset.
CREATE TABLE offsets (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    next INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
) WITHOUT ROWID;

-- Kafka's ids of the topics, where it gives any: they tell a topic's lives apart.
CREATE TABLE topics (topic TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID;

-- 'key' (of the digests), 'time_zone' and 'rules' (the version that it is from).
CREATE TABLE settings (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""

VIEWS: Final[dict[str, str]] = {
    # The first record of each life.
    "beginnings": """
SELECT life, at, product, segment, source FROM firsts
WHERE after = (SELECT min(after) FROM firsts AS others WHERE others.life = firsts.life)
""",
    # What a person was first said to be: by the earliest lead that says anything.
    "dimensions": """
SELECT DISTINCT person,
    first_value(product) OVER (PARTITION BY person ORDER BY product IS NULL, at, product) AS product,
    first_value(segment) OVER (PARTITION BY person ORDER BY segment IS NULL, at, segment) AS segment,
    first_value(source) OVER (PARTITION BY person ORDER BY source IS NULL, at, source) AS source
FROM beginnings JOIN lives USING (life)
""",
    # Every stay of a lead in a stage. ``upto``, ``following``: NULL where it goes on; following alone is NULL
    # where it ended because the lead became part of another or was forgotten.
    "stays": """
WITH steps (life, sequence, at, stage) AS (
    SELECT life, 0, at, 'Open' FROM beginnings
    UNION ALL
    SELECT into_life, 0, min(at), 'Open' FROM outcomes
    WHERE kind = 'merged' AND into_life NOT IN (SELECT life FROM firsts) GROUP BY into_life
    UNION ALL
    SELECT life, sequence, at, stage FROM outcomes WHERE kind IN ('qualified', 'disqualified', 'stage')
),
changes AS (
    SELECT *, lag(stage) OVER (PARTITION BY life ORDER BY sequence) AS before FROM steps
),
entries AS (
    SELECT life, sequence, at, stage,
        lead(at) OVER following AS next_at, lead(stage) OVER following AS next_stage
    FROM changes WHERE before IS NULL OR before <> stage
    WINDOW following AS (PARTITION BY life ORDER BY sequence)
),
ends (life, at) AS (SELECT life, min(at) FROM outcomes WHERE kind IN ('merged', 'erased') GROUP BY life)
SELECT entries.life, entries.sequence, entries.stage, entries.at AS since,
    max(entries.at, coalesce(next_at, ends.at)) AS upto, next_stage AS following
FROM entries LEFT JOIN ends ON ends.life = entries.life
""",
    # What is counted.
    "happenings": """
SELECT 'created' AS kind, min(at) AS at, person FROM beginnings JOIN lives USING (life) GROUP BY person
UNION ALL
SELECT kind, at, person FROM outcomes JOIN lives USING (life) WHERE kind IN ('qualified', 'disqualified')
UNION ALL
SELECT 'requalified', at, person FROM outcomes JOIN lives USING (life)
WHERE kind = 'qualified' AND sequence > (
    SELECT min(sequence) FROM outcomes AS others
    WHERE others.life = outcomes.life AND +others.kind = 'disqualified' -- +: life finds them faster
)
UNION ALL
SELECT 'lapsed', at, person FROM outcomes JOIN lives USING (life)
WHERE kind = 'disqualified' AND reason = 'score' AND stage <> 'Unqualified'
UNION ALL
SELECT 'converted', since, person FROM stays JOIN lives USING (life)
WHERE stage = 'Customer' AND sequence > 0
""",
    # Where the people who are there now stand.
    "standing": """
SELECT lives.person, stays.stage, stays.since
FROM stays JOIN lives USING (life)
WHERE lives.life = lives.person AND stays.upto IS NULL
""",
    # People by their first qualification, and when they came to Customer after it.
    "cohorts": """
WITH entered (person, at) AS (
    SELECT person, min(at) FROM outcomes JOIN lives USING (life) WHERE kind = 'qualified' GROUP BY person
),
converted (person, at) AS (
    SELECT person, since FROM stays JOIN lives USING (life) WHERE stage = 'Customer' AND sequence > 0
)
SELECT entered.person, entered.at, min(converted.at) AS converted_at
FROM entered LEFT JOIN converted ON converted.person = entered.person AND converted.at >= entered.at
GROUP BY entered.person
""",
}
"""Name -> query, each of tables and earlier views only."""
