-- path_error(path) says what is wrong with a path, null when nothing is: labels of letters, digits and _ (and - from
-- PostgreSQL 16 on), joined by dots, each at most 255 characters, 1,000 in all.
CREATE OR REPLACE FUNCTION path_error(p_path text) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    -- The length of labels is no part of the patterns: a counted repetition costs some fifty times as much.
    SELECT CASE
        WHEN length(p_path) > 1000 THEN 'A path has at most 1,000 characters.'
        WHEN length(p_path) > 255 AND EXISTS (SELECT FROM unnest(string_to_array(p_path, '.')) AS l WHERE length(l) > 255)
            THEN 'A label of a path has at most 255 characters.'
        WHEN p_path ~ '^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$' THEN NULL
        WHEN p_path ~ '^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$' THEN
            CASE WHEN current_setting('server_version_num')::int < 160000
                THEN 'A path cannot have hyphens on a server before PostgreSQL 16; use underscores.' END
        ELSE 'A path is labels of letters, digits and underscores joined by dots.'
    END
$$;
