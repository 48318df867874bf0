-- get_partitions() tells of every table of core.partition_config how it stands: how many partitions with a date it has, the
-- oldest and the newest, how many periods ahead are made, how many rows the default partition has (10,001 is more than
-- 10,000), how long it keeps rows, and how many detached partitions wait for their objects to be removed.
-- Raises 42501 without the scope of an operator.
CREATE OR REPLACE FUNCTION get_partitions()
RETURNS TABLE (parent text, period text, partitions int, oldest text, newest text, premade int, made_ahead int, default_rows bigint, retention text, detached int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    c core.partition_config;
    v_format text;
BEGIN
    PERFORM assert_operator();
    FOR c IN SELECT p.* FROM core.partition_config p JOIN pg_class t ON t.oid = to_regclass(quote_ident(p.parent)) AND t.relkind = 'p' ORDER BY p.parent LOOP
        v_format := CASE c.period WHEN 'day' THEN '_YYYY_MM_DD' ELSE '_YYYY_MM' END;
        SELECT count(*), min(t.relname), max(t.relname), count(*) FILTER (WHERE t.relname > c.parent || to_char(now() AT TIME ZONE 'UTC', v_format))
        INTO partitions, oldest, newest, made_ahead
        FROM pg_inherits i
        JOIN pg_class t ON t.oid = i.inhrelid
        WHERE i.inhparent = to_regclass(quote_ident(c.parent)) AND t.relname ~ ('^' || c.parent || '_\d{4}_\d{2}(_\d{2})?$');
        default_rows := 0;
        IF to_regclass(quote_ident(c.parent || '_default')) IS NOT NULL THEN
            EXECUTE format('SELECT count(*) FROM (SELECT FROM %I LIMIT 10001) d', c.parent || '_default') INTO default_rows;
        END IF;
        SELECT count(*) INTO detached FROM core.detached_partitions d WHERE d.parent = c.parent;
        parent := c.parent;
        period := c.period;
        premade := c.premade;
        retention := c.retention::text;
        RETURN NEXT;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION get_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_partitions TO app_api;
