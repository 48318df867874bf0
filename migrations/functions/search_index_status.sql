-- search_index_status(min_documents) lists, for operators, the tenants with at least that many documents and those that
-- have, or are noted to have, a full-text index of their own; the largest first. An index whose tenant is gone comes
-- without a name of the tenant. Words and vectors are counted, which reads the documents of each tenant that is listed.

-- search_index_name(tenant) is the name of the full-text index of one tenant.
CREATE OR REPLACE FUNCTION search_index_name(p_tenant_id uuid) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT 'ix_documents_search_t_' || left(md5(p_tenant_id::text), 8)
$$;
REVOKE EXECUTE ON FUNCTION search_index_name FROM PUBLIC;

-- own_search_indexes() are the full-text indexes of single tenants: the tenant is in the condition of the index.
CREATE OR REPLACE FUNCTION own_search_indexes() RETURNS TABLE (tenant_id uuid, name text, kind text, is_valid boolean, bytes bigint)
LANGUAGE sql STABLE AS $$
    SELECT substring(pg_get_expr(i.indpred, i.indrelid) FROM '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')::uuid, c.relname::text,
           a.amname::text, i.indisvalid AND i.indisready AND i.indislive, pg_relation_size(c.oid)
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_am a ON a.oid = c.relam
    WHERE i.indrelid = 'public.documents'::regclass AND c.relname ~ '^ix_documents_search_t_[0-9a-f]{8}$' AND i.indpred IS NOT NULL
$$;
REVOKE EXECUTE ON FUNCTION own_search_indexes FROM PUBLIC;

CREATE OR REPLACE FUNCTION search_index_status(p_min_documents bigint)
RETURNS TABLE (tenant_id uuid, tenant_name text, documents bigint, words bigint, vectors bigint, changes bigint, noted_kind text,
    index_name text, index_kind text, index_valid boolean, index_bytes bigint)
LANGUAGE sql STABLE AS $$
    SELECT k.tenant_id, t.name, coalesce(s.documents, 0),
           (SELECT count(*) FROM core.search_words w WHERE w.tenant_id = k.tenant_id),
           (SELECT count(*) FROM documents d WHERE d.tenant_id = k.tenant_id AND d.embedding_model IS NOT NULL),
           (SELECT count(*) FROM core.search_word_changes c WHERE c.tenant_id = k.tenant_id),
           coalesce(s.index_kind, 'shared'), x.name, x.kind, x.is_valid, x.bytes
    FROM (SELECT o.tenant_id FROM own_search_indexes() o
          UNION SELECT n.tenant_id FROM core.search_tenants n WHERE n.index_kind <> 'shared' OR n.documents >= p_min_documents) k
    LEFT JOIN tenants t ON t.id = k.tenant_id
    LEFT JOIN core.search_tenants s ON s.tenant_id = k.tenant_id
    LEFT JOIN own_search_indexes() x ON x.tenant_id = k.tenant_id
    WHERE t.id IS NOT NULL OR x.name IS NOT NULL OR s.index_kind <> 'shared'
    ORDER BY coalesce(s.documents, 0) DESC, k.tenant_id
$$;
REVOKE EXECUTE ON FUNCTION search_index_status FROM PUBLIC;
