-- name: schemadump.functions
SELECT format('%s %s(%s)%s', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.oid::regproc,
           pg_get_function_arguments(p.oid), coalesce(' RETURNS ' || pg_get_function_result(p.oid), ''))
    || E'\n    -- ' || l.lanname || ', ' || CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END
    || CASE WHEN p.proisstrict THEN ', strict' ELSE '' END
    || CASE p.proparallel WHEN 's' THEN ', parallel safe' ELSE '' END
    || CASE WHEN p.prosecdef THEN ', SECURITY DEFINER' ELSE '' END
    || coalesce(', SET ' || array_to_string(p.proconfig, ', SET '), '')
    || '; may be called by ' || coalesce((
        SELECT string_agg(coalesce(r.rolname, 'everybody'), ', ' ORDER BY r.rolname COLLATE "C")
        FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
        LEFT JOIN pg_roles r ON r.oid = x.grantee
        WHERE x.grantee <> p.proowner), 'the owner only') AS text
FROM pg_proc p
JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace IN ('public'::regnamespace, 'core'::regnamespace, 'graphql_api'::regnamespace)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY p.proname COLLATE "C", pg_get_function_identity_arguments(p.oid) COLLATE "C"
