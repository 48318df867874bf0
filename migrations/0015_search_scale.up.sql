-- What a search of one tenant reads among many others. Reads all documents once.

-- A prefix asks for what the vocabulary has, so the vocabulary gets what begins like a word and is none (is_search_address) of the
-- documents that are there.
INSERT INTO core.search_words (tenant_id, word, language, documents, titles)
SELECT d.tenant_id, t.lexeme, d.language, count(*), count(*) FILTER (WHERE 'A' = ANY (t.weights))
FROM documents d
CROSS JOIN LATERAL unnest(d.search_tsv) AS t
WHERE t.lexeme ~ '^[^!-@[-`{-~](.*[!-,./:-@[-`{-~]|[^-]{40})'
GROUP BY d.tenant_id, d.language, t.lexeme;

-- hstore's own operators index keys and values apart, and a key is in the documents of every tenant; as jsonb one entry is
-- a key with its value. New documents wait while the index is made.
DROP INDEX ix_documents_labels;
CREATE INDEX ix_documents_labels ON documents USING gin (tenant_id, tag_ids gin__int_ops, hstore_to_jsonb(metadata) jsonb_path_ops)
    WITH (gin_pending_list_limit = 512);
ANALYZE documents; -- statistics of what the index has
