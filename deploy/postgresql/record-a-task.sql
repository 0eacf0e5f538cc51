-- What an application in any language writes when it takes on a task: the record and the charge, both or none.
-- Leave the second statement out for a task that costs nothing. Moments are Unix seconds.
--
--     psql --set task_id=task_xxx --set user_id=100 --set credits=100000 --dbname records --file record-a-task.sql
BEGIN;
INSERT INTO task_records (
    task_id, user_id, credits, platform_class, status, reason, timeout_seconds, queue,
    attempt, created_at, updated_at, polls, next_poll_at, lease_number
)
SELECT
    :'task_id', :user_id, :credits, 'long', 'SUBMITTED', '', 3600, 'scheduled',
    -1, epoch, epoch, 0, epoch + 3, 0
FROM extract(EPOCH FROM now()) AS epoch;
INSERT INTO ledger_entries (user_id, kind, reference, amount, created_at)
VALUES (:user_id, 'charge', :'task_id', - :credits, extract(EPOCH FROM now()));
COMMIT;
