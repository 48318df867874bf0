-- estimate_embedding_rows(sql) is how many rows the planner expects of a query. Internal: the text is trusted.
-- A function of its own, because EXPLAIN may not run within a STABLE one.
CREATE OR REPLACE FUNCTION estimate_embedding_rows(p_sql text) RETURNS double precision
LANGUAGE plpgsql AS $$
DECLARE
    v_plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || p_sql INTO v_plan;
    RETURN v_plan #>> '{0,Plan,Plan Rows}';
END $$;
REVOKE EXECUTE ON FUNCTION estimate_embedding_rows FROM PUBLIC;
