-- A prefix asks for what the vocabulary has, so the vocabulary gets what begins like a word and is none (is_search_address) of the
-- documents that are there. Locks nothing; reads all documents once. Running it again adds doubles, which the next fold removes.
INSERT INTO core.search_words (tenant_id, word, language, documents, titles)
SELECT d.tenant_id, t.lexeme, d.language, count(*), count(*) FILTER (WHERE 'A' = ANY (t.weights))
FROM documents d
CROSS JOIN LATERAL unnest(d.search_tsv) AS t
WHERE t.lexeme ~ '^[^!-@[-`{-~](.*[!-,./:-@[-`{-~]|[^-]{40})'
GROUP BY d.tenant_id, d.language, t.lexeme;
