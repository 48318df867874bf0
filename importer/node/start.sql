-- What a copy works with; all of it is gone with the transaction. Lines are rows of the table that is being copied.
SET LOCAL statement_timeout = 0;
SET LOCAL search_path = public, pg_temp;
CREATE TEMP TABLE node_line (line jsonb NOT NULL) ON COMMIT DROP;
CREATE TEMP TABLE node_reject (source text, id text, reason text) ON COMMIT DROP;
CREATE TEMP TABLE node_object (old_key text, new_key text) ON COMMIT DROP;
