-- mask_literals(sql) is a statement on one line without comments and without what may be a secret: quoted text and numbers.
CREATE OR REPLACE FUNCTION mask_literals(p_sql text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT btrim(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(p_sql,
        '\$([a-z_]*?)\$.*?(\$\1\$|$)', '?', 'gi'), -- one greedy part would make all of it greedy
        '''(''''|\\.|[^''\\])*(''|$)', '?', 'g'),
        '--[^\n]*', ' ', 'g'),
        '/\*.*?(\*/|$)', ' ', 'g'),
        '(?<![\w$.])\d+(\.\d+)?', '?', 'g'),
        '\s+', ' ', 'g'))
$$;
REVOKE EXECUTE ON FUNCTION mask_literals FROM PUBLIC;

-- get_slow_queries(limit) is the statements of this database that took most time in all since the statistics were reset, by
-- pg_stat_statements. name is that of the statement's first line. Literals are masked; of commands that are no queries (they
-- may hold passwords) only the first words are told, and of those of other roles nothing without pg_read_all_stats.
-- Raises 42501 without the scope of an operator, ZE501 without the extension, ZE400 on first unless 1 to 100.
CREATE OR REPLACE FUNCTION get_slow_queries(p_limit int DEFAULT 10)
RETURNS TABLE (query_id text, name text, snippet text, calls bigint, total_seconds double precision, mean_ms double precision, max_ms double precision,
    row_count bigint, role text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM assert_operator();
    IF coalesce(p_limit, 0) NOT BETWEEN 1 AND 100 THEN
        RAISE EXCEPTION 'Ask for 1 to 100.' USING ERRCODE = 'ZE400', COLUMN = 'first';
    END IF;
    IF to_regclass('pg_stat_statements') IS NULL THEN
        RAISE EXCEPTION 'This needs the extension pg_stat_statements.' USING ERRCODE = 'ZE501';
    END IF;
    RETURN QUERY EXECUTE $q$
        SELECT s.queryid::text, substring(s.query FROM '--\s*name:\s*([\w.]+)'),
               left(CASE WHEN m.text ~* '^\(?\s*(select|with|insert|update|delete|merge|values|table|<)' THEN m.text
                         ELSE array_to_string((regexp_split_to_array(m.text, '\s+'))[1:2], ' ') || ' …' END, 100),
               s.calls, s.total_exec_time / 1000, s.mean_exec_time, s.max_exec_time, s.rows, s.userid::regrole::text
        FROM (SELECT * FROM pg_stat_statements
              WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
              ORDER BY total_exec_time DESC, queryid LIMIT $1) s
        CROSS JOIN LATERAL (SELECT mask_literals(left(s.query, 10000)) AS text) m
        ORDER BY s.total_exec_time DESC, s.queryid$q$ USING p_limit;
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    RAISE EXCEPTION 'This needs pg_stat_statements in shared_preload_libraries.' USING ERRCODE = 'ZE501';
END $$;
REVOKE EXECUTE ON FUNCTION get_slow_queries FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_slow_queries TO app_api;
