-- name: schemadump.objects
-- Only what the product needs: an optional extension is there or not by the server.
SELECT text
FROM (
    SELECT 1 AS ord, string_agg(format('CREATE EXTENSION %I;', extname), E'\n' ORDER BY extname COLLATE "C") AS text
    FROM pg_extension
    WHERE extname NOT IN ('plpgsql', 'pg_stat_statements')
    UNION ALL
    SELECT 2, string_agg(format('CREATE SEQUENCE %s AS %s;%s', c.oid::regclass, format_type(s.seqtypid, NULL),
        coalesce(E'\n' || (
            SELECT string_agg(format('GRANT %s ON SEQUENCE %s TO %s;', g.what, c.oid::regclass, g.who), E'\n' ORDER BY g.who)
            FROM (SELECT coalesce(r.rolname, 'PUBLIC') COLLATE "C" AS who, string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type) AS what
                  FROM aclexplode(c.relacl) x
                  LEFT JOIN pg_roles r ON r.oid = x.grantee
                  WHERE x.grantee <> c.relowner
                  GROUP BY 1) g), '')), E'\n' ORDER BY c.relname COLLATE "C")
    FROM pg_sequence s
    JOIN pg_class c ON c.oid = s.seqrelid
    WHERE c.relnamespace IN ('public'::regnamespace, 'core'::regnamespace)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i'))
    UNION ALL
    SELECT 3, string_agg(format('-- TEXT SEARCH CONFIGURATION %s: words go to %s', c.cfgname, (
        SELECT string_agg(d.dictname, ', then ' ORDER BY x.mapseqno)
        FROM pg_ts_config_map x
        JOIN pg_ts_dict d ON d.oid = x.mapdict
        JOIN ts_token_type(c.cfgparser) t ON t.tokid = x.maptokentype AND t.alias = 'word'
        WHERE x.mapcfg = c.oid)), E'\n' ORDER BY c.cfgname COLLATE "C")
    FROM pg_ts_config c
    WHERE c.cfgnamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_ts_config'::regclass AND d.objid = c.oid AND d.deptype = 'e')
) parts
WHERE text IS NOT NULL
ORDER BY ord
