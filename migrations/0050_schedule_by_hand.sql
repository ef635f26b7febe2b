-- Until when somebody runs an entry of the schedule by hand, so that a second click is told so. Only runs by hand write it: a tick of
-- the clock stays one row.
ALTER TABLE schedule_ticks ADD COLUMN by_hand_until INTEGER;
