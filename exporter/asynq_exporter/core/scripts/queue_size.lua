-- Tells how many tasks of a queue are work to be done: pending, active, scheduled, retry, aggregating (guide section 4.2).
-- Uses: size
--
-- KEYS[1]  pending list
-- KEYS[2]  active list
-- KEYS[3]  scheduled set
-- KEYS[4]  retry set
-- KEYS[5]  set of group names
-- ARGV[1]  beginning of the keys of groups
--
-- Returns the number; with more than 32 groups an estimate from 32 of them.

return queue_size(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1])
