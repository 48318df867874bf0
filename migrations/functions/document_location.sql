-- requires: postgis
-- The point of a document with PostGIS: a geography column made from longitude and latitude, and its index.
ALTER TABLE documents ADD COLUMN IF NOT EXISTS location geography(Point, 4326) GENERATED ALWAYS AS (
    ST_SetSRID(ST_MakePoint(longitude, latitude), 4326)::geography) STORED;
DROP INDEX IF EXISTS ix_documents_sphere;
CREATE INDEX IF NOT EXISTS ix_documents_location ON documents USING gist (tenant_id, location);

-- document_distance(document, longitude, latitude) is the distance in metres on the WGS 84 spheroid, null without a point.
CREATE OR REPLACE FUNCTION document_distance(p_longitude double precision, p_latitude double precision,
    p_from_longitude double precision, p_from_latitude double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ST_Distance(ST_SetSRID(ST_MakePoint(p_longitude, p_latitude), 4326)::geography,
        ST_SetSRID(ST_MakePoint(p_from_longitude, p_from_latitude), 4326)::geography)
$$;

-- documents_near(tenant, longitude, latitude, radius) are the ids of the tenant's documents within the radius, in metres.
CREATE OR REPLACE FUNCTION documents_near(p_tenant_id uuid, p_longitude double precision, p_latitude double precision,
    p_radius double precision) RETURNS TABLE (id uuid, distance double precision)
LANGUAGE sql STABLE AS $$
    SELECT d.id, ST_Distance(d.location, ST_SetSRID(ST_MakePoint(p_longitude, p_latitude), 4326)::geography)
    FROM documents d
    WHERE d.tenant_id = p_tenant_id
      AND ST_DWithin(d.location, ST_SetSRID(ST_MakePoint(p_longitude, p_latitude), 4326)::geography, p_radius)
$$;
