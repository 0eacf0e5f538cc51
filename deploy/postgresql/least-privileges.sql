-- The rights of the user that `serve`, `poll` and `migrate` connect as: it can make no tables, and the ledger
-- takes its entries for ever. Run this as the owner of the database, after `asynq-exporter records upgrade`:
--
--     psql --set role=asynq_exporter --dbname records --file least-privileges.sql
GRANT SELECT ON alembic_version TO :role;
GRANT SELECT, INSERT, UPDATE ON task_records, settlements, fences TO :role;
GRANT SELECT, INSERT ON dead_letter_retries, ledger_entries TO :role;
GRANT USAGE ON SEQUENCE ledger_entries_id_seq TO :role;
