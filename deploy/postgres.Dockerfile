# PostgreSQL with the extensions that Stackforge uses where it finds them. The packages are of the distribution that the
# official image brings along. Written with care, but there was no Docker where it was written: it has not been built yet.
FROM postgres:17
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        postgresql-17-cron \
        postgresql-17-hypopg \
        postgresql-17-pgaudit \
        postgresql-17-pgvector \
        postgresql-17-postgis-3 \
        postgresql-17-rum \
    && rm -rf /var/lib/apt/lists/*
# stackforge migrate creates them; these must be loaded at the start of the server.
CMD ["postgres", "-c", "shared_preload_libraries=pg_stat_statements,pgaudit,pg_cron", "-c", "cron.database_name=stackforge"]
