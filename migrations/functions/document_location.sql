-- requires: postgis
-- The point of a document with PostGIS: a geography column made from longitude and latitude, and its index.
ALTER TABLE documents ADD COLUMN IF NOT EXISTS location geography(Point, 4326) GENERATED ALWAYS AS (
    ST_SetSRID(ST_MakePoint(longitude, latitude), 4326)::geography) STORED;
DROP INDEX IF EXISTS ix_documents_sphere;
CREATE INDEX IF NOT EXISTS ix_documents_location ON documents USING gist (tenant_id, location);

DROP FUNCTION IF EXISTS documents_near(uuid, double precision, double precision, double precision); -- forerunners of search_near
DROP FUNCTION IF EXISTS document_distance(double precision, double precision, double precision, double precision);
