-- When streams run by themselves. A stream without a row runs only when somebody asks for it. `next_at` stays in the past
-- while a run is under way, so that what a killed process leaves behind is still due. `turn` counts all runs of the
-- schedule over all streams: it tells who was served longest ago, and only one process takes the same turn. `decision`
-- changes with everything that a person decides: what came of a run that began before is not recorded. `failures` is how
-- often it has failed in a row, `trouble` a document that says with what.
CREATE TABLE schedules (
    stream_id TEXT NOT NULL PRIMARY KEY REFERENCES streams (id),
    schedule TEXT NOT NULL,
    paused BIGINT NOT NULL,
    next_at BIGINT,
    wanted_at BIGINT,
    turn BIGINT NOT NULL,
    decision BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    trouble TEXT
);

CREATE INDEX schedules_by_turn ON schedules (turn);
