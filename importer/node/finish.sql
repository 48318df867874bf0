-- Numbers of new jobs follow those of the old ones.
SELECT setval('jobs_id_seq', greatest((SELECT coalesce(max(id), 1) FROM jobs), (SELECT last_value FROM jobs_id_seq)));
