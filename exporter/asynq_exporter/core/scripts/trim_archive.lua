-- Trims the archive by age and by size, a batch of it (wire section 4.7). Hashes go too; locks stay.
-- Uses: trim
--
-- KEYS[1]  archived set
-- ARGV[1]  prefix of task hashes
-- ARGV[2]  members archived until this second are trimmed
-- ARGV[3]  size of the archive; one less stays
-- ARGV[4]  tasks to trim at most, by age and by size each
--
-- Returns the number of tasks trimmed.

return trim(KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
