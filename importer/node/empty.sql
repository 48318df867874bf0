TRUNCATE pg_temp.node_line;
