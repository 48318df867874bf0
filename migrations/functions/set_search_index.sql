-- set_search_index(tenant, kind) notes which full-text index serves a tenant: the shared one, or a gin or rum of its own,
-- which must be there and be valid. Only the owner may.
-- Raises ZE400 for another kind, ZE404 for a tenant that is not there (unless it goes back to the shared index), ZE409
-- without that index. Locks the tenant's row of core.search_tenants.
CREATE OR REPLACE FUNCTION set_search_index(p_tenant_id uuid, p_kind text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(p_kind, '') NOT IN ('shared', 'gin', 'rum') THEN
        RAISE EXCEPTION 'The index is shared, gin or rum.' USING ERRCODE = 'ZE400', COLUMN = 'using';
    END IF;
    IF p_kind = 'shared' THEN
        UPDATE core.search_tenants SET index_kind = 'shared' WHERE tenant_id = p_tenant_id AND index_kind <> 'shared';
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM tenants WHERE id = p_tenant_id) THEN
        RAISE EXCEPTION 'There is no such tenant.' USING ERRCODE = 'ZE404', COLUMN = 'tenant';
    END IF;
    IF NOT EXISTS (SELECT FROM own_search_indexes() o WHERE o.tenant_id = p_tenant_id AND o.kind = p_kind AND o.is_valid) THEN
        RAISE EXCEPTION 'The tenant has no valid index of this kind.' USING ERRCODE = 'ZE409', COLUMN = 'using';
    END IF;
    INSERT INTO core.search_tenants (tenant_id, index_kind) VALUES (p_tenant_id, p_kind)
    ON CONFLICT (tenant_id) DO UPDATE SET index_kind = excluded.index_kind;
END $$;
REVOKE EXECUTE ON FUNCTION set_search_index FROM PUBLIC;
