-- ensure_partitions(months, days) makes the partitions of this period and of those ahead for every table of
-- core.partition_config and returns how many are new. months and days replace what is configured. Run at every migration
-- and by the worker's maintenance.

-- uuid_v7_floor(moment) is the least uuid v7 of that millisecond.
CREATE OR REPLACE FUNCTION uuid_v7_floor(p_at timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM p_at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$$;

-- make_partition(parent, moment) makes the partition that has a moment (UTC), secured like its table, and reports whether it
-- is new. When the default partition has rows of that time there is a warning and no partition: those rows stay there.
CREATE OR REPLACE FUNCTION make_partition(p_parent text, p_at timestamp) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    c core.partition_config;
    v_start timestamp;
    v_name text;
    v_bounds text[];
BEGIN
    SELECT * INTO STRICT c FROM core.partition_config WHERE parent = p_parent;
    v_start := date_trunc(c.period, p_at);
    v_name := p_parent || to_char(v_start, CASE c.period WHEN 'day' THEN '_YYYY_MM_DD' ELSE '_YYYY_MM' END);
    IF to_regclass(quote_ident(v_name)) IS NOT NULL THEN
        RETURN false;
    END IF;
    SELECT array_agg(CASE c.key WHEN 'time' THEN t::text || '+00' ELSE uuid_v7_floor(t AT TIME ZONE 'UTC')::text END ORDER BY t) INTO v_bounds
    FROM unnest(ARRAY[v_start, v_start + ('1 ' || c.period)::interval]) t;
    BEGIN
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', v_name, p_parent, v_bounds[1], v_bounds[2]);
        PERFORM secure_table(v_name::regclass);
    EXCEPTION WHEN check_violation THEN
        RAISE WARNING 'partition % is not made: the default partition has rows of its range', v_name;
        RETURN false;
    END;
    RETURN true;
END $$;
REVOKE EXECUTE ON FUNCTION make_partition FROM PUBLIC;

CREATE OR REPLACE FUNCTION ensure_partitions(p_months int DEFAULT NULL, p_days int DEFAULT NULL) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    c record;
    v_new int := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_partitions'));
    FOR c IN
        SELECT p.parent, (now() AT TIME ZONE 'UTC') + ahead * ('1 ' || p.period)::interval AS at
        FROM core.partition_config p
        JOIN pg_class t ON t.oid = to_regclass(quote_ident(p.parent)) AND t.relkind = 'p'
        CROSS JOIN LATERAL generate_series(0, coalesce(CASE p.period WHEN 'day' THEN p_days ELSE p_months END, p.premade)) ahead
        ORDER BY p.parent, ahead
    LOOP
        v_new := v_new + make_partition(c.parent, c.at)::int;
    END LOOP;
    RETURN v_new;
END $$;
REVOKE EXECUTE ON FUNCTION ensure_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partitions TO app_worker;
SELECT ensure_partitions();
