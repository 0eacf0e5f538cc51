-- The trigger goes with its table, the function does not.
DROP FUNCTION ledger_is_append_only() CASCADE;
