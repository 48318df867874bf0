package resolvers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"

	"stackforge/db"
	"stackforge/graph"
	"stackforge/nodeid"
)

// things are the ids by which a caller can mean something.
type things struct {
	document, documentHash, documentNode  string
	user, userNode, email                 string
	job, jobHash, jobNode, failed, unique string
	key, tenant, word                     string
	file, upload, fileNode                string
	documentCursor, jobCursor, userCursor string
	searchCursor                          string
	webhook, webhookNode, delivery        string
}

// things makes one of everything.
func (c caller) things(word string) things {
	t := c.d.t
	t.Helper()

	text := func(v any, path ...any) string {
		s, ok := at(t, v, path...).(string)
		require.True(t, ok)
		return s
	}
	u := at(t, c.get(`mutation ($e: String!) { createUser(input: {email: $e}) { user { id nodeId email } } }`, vars{"e": word + "@example.org"}), "createUser", "user")
	doc := c.document(vars{"title": word, "authorId": text(u, "id"), "path": "secret." + word, "tagIds": []int{7}, "longitude": 1, "latitude": 1})
	key := at(t, c.get(createKey, vars{"in": vars{"name": word}}), "createApiKey", "apiKey", "id")
	j := at(t, c.get(enqueueJob, vars{"in": vars{"type": word, "uniqueKey": "unique-" + word}}), "enqueueJob", "job")
	failed := c.job(vars{"type": word})
	c.get(encryptPayload, vars{"id": failed})
	c.get(`mutation ($w: String!) { setSearchStopWords(input: {words: [$w]}) { settings { stopWords } } setSearchSynonyms(input: {term: $w, synonyms: ["x"]}) { synonyms { id } } }`, vars{"w": word})
	c.get(`mutation ($w: String!) { sendMessage(input: {queue: $w, payload: {secret: $w}}) { id } }`, vars{"w": word})
	c.d.Exec(t, `UPDATE jobs SET status = 'failed', reason = 'permanent', finished_at = now() WHERE id = $1`, failed)
	hook := at(t, c.get(`mutation ($w: String!) { createWebhookEndpoint(input: {name: $w, url: "https://example.org/", events: ["order.paid"]}) { endpoint { id nodeId } } }`, vars{"w": word}), "createWebhookEndpoint", "endpoint")
	c.d.Exec(t, `
		WITH e AS (INSERT INTO core.outbox (tenant_id, aggregate_type, aggregate_id, topic, payload, routed_at)
			VALUES ($1, 'order', $2, 'order.paid', jsonb_build_object('word', $2::text), now()) RETURNING id)
		INSERT INTO webhook_deliveries (tenant_id, endpoint_id, event_id, event, status, finished_at) SELECT $1, $3, id, 'order.paid', 'dead', now() FROM e`,
		c.scope.TenantID, word, text(hook, "id"))
	delivery := at(t, c.get(`{ webhookDeliveriesConnection { nodes { id } } }`, nil), "webhookDeliveriesConnection", "nodes", 0, "id")
	up := func(name string) any {
		return at(t, c.get(`mutation ($in: CreateUploadInput!) { createUpload(input: $in) { file { id nodeId } } }`,
			vars{"in": vars{"filename": name, "sizeBytes": len(word), "uploaderId": c.scope.UserID}}), "createUpload", "file")
	}
	f := c.file(word)
	cursors := c.get(`{ documentsConnection { pageInfo { startCursor } } jobsConnection { pageInfo { startCursor } } usersConnection { pageInfo { startCursor } } searchDocuments { pageInfo { startCursor } } }`, nil)
	return things{
		document: text(doc, "id"), documentHash: text(doc, "hashid"), documentNode: text(doc, "nodeId"),
		user: text(u, "id"), userNode: text(u, "nodeId"), email: text(u, "email"),
		job: text(j, "id"), jobHash: text(j, "hashid"), jobNode: text(j, "nodeId"), failed: failed, unique: "unique-" + word,
		file: f.ID.String(), fileNode: f.NodeID(), upload: text(up(word+"-upload"), "id"),
		key: key.(string), tenant: c.scope.TenantID.String(), word: word, //nolint:errcheck,forcetypeassert // an id
		documentCursor: text(cursors, "documentsConnection", "pageInfo", "startCursor"),
		jobCursor:      text(cursors, "jobsConnection", "pageInfo", "startCursor"),
		userCursor:     text(cursors, "usersConnection", "pageInfo", "startCursor"),
		searchCursor:   text(cursors, "searchDocuments", "pageInfo", "startCursor"),
		webhook:        text(hook, "id"), webhookNode: text(hook, "nodeId"), delivery: delivery.(string), //nolint:errcheck,forcetypeassert // an id
	}
}

// operations has at least one for every root field of queries and mutations, which name other things in every argument
// that can name something.
func operations(x things) map[string][]string {
	q := func(format string, args ...any) string { return fmt.Sprintf(format, args...) }
	return map[string][]string{
		"dashboard": {
			`{ dashboard { stats { documentCount } pivot { month count } breakdown { type failed } jobErrors { type example } storage { kind rows } searchLatency { count } } }`,
			`{ dashboard { stats(fresh: true) { documentCount newestDocumentAt } pivot(fresh: true) { count } breakdown(fresh: true) { done } jobSeries(bucket: MINUTE) { type } } }`,
			q(`{ dashboard { jobSeries(type: %q) { type done failed } } }`, x.word),
		},
		"slowQueries": {`{ slowQueries(first: 100) { name snippet } }`}, "tableSizes": {`{ tableSizes { name } }`}, "auditSettings": {`{ auditSettings { missing } }`},
		"partitions": {`{ partitions { parent } }`}, "maintenanceRuns": {`{ maintenanceRuns { task } }`},
		"indexAdvice": {q(`{ indexAdvice(query: "SELECT * FROM documents WHERE body = '%s'") { suggestions { statement } } }`, x.word)},

		"viewer":       {`{ viewer { tenant { id name } } }`},
		"capabilities": {`{ capabilities { name } }`},
		"pgGraphql":    {`{ pgGraphql(query: "{ documentsCollection { edges { node { id title } } } jobsCollection { edges { node { type } } } appUsersCollection { edges { node { email } } } }") }`},
		"node":         {q(`{ node(nodeId: %q) { nodeId } }`, x.documentNode), q(`{ node(nodeId: %q) { nodeId } }`, x.jobNode), q(`{ node(nodeId: %q) { nodeId } }`, x.userNode), q(`{ node(nodeId: %q) { nodeId } }`, x.webhookNode), q(`{ node(nodeId: %q) { nodeId } }`, x.fileNode)},
		"nodes":        {q(`{ nodes(nodeIds: [%q, %q, %q, %q, %q]) { nodeId } }`, x.documentNode, x.jobNode, x.userNode, x.webhookNode, x.fileNode)},
		"document":     {q(`{ document(id: %q) { id title author { email } } }`, x.document), q(`{ document(id: %q) { id title } }`, x.documentHash)},
		"documents": {
			`{ documents { id title author { email } } }`, q(`{ documents(filter: {id: {eq: %q}}) { id } }`, x.document), q(`{ documents(filter: {id: {in: [%q]}}) { id } }`, x.document),
			q(`{ documents(filter: {authorId: {eq: %q}}) { id } }`, x.user), q(`{ documents(filter: {path: {startsWith: "secret.%s"}}) { id } }`, x.word),
			q(`{ documents(filter: {or: [{title: {eq: %q}}, {title: {eq: "none"}}]}) { id } }`, x.word),
		},
		"documentsConnection": {
			`{ documentsConnection { nodes { id } totalCount } }`, q(`{ documentsConnection(filter: {not: {title: {eq: "none"}}}) { nodes { id } totalCount } }`),
			q(`{ documentsConnection(filter: {id: {eq: %q}}) { nodes { id } totalCount } }`, x.document),
		},
		"searchDocuments": {
			q(`{ searchDocuments(query: %q) { nodes { document { id } } totalCount } }`, x.word), `{ searchDocuments { nodes { document { id author { email } } } totalCount } }`,
			q(`{ searchDocuments(pathPrefix: "secret.%s") { nodes { document { id } } totalCount } }`, x.word), `{ searchDocuments(tagIds: [7]) { nodes { document { id } } totalCount } }`,
			`{ searchDocuments(near: {longitude: 1, latitude: 1}) { nodes { document { id } } totalCount } }`,
		},
		"similarDocuments": {
			q(`{ similarDocuments(documentId: %q) { similarity document { id title } } }`, x.document), q(`{ similarDocuments(text: %q) { document { id title author { email } } } }`, x.word),
			q(`{ similarDocuments(text: "a", filter: {authorId: %q}) { document { id title } } }`, x.user),
		},
		"searchSettings":    {`{ searchSettings { stopWords synonymsConnection { nodes { id term synonyms } totalCount } } }`},
		"searchSuggestions": {q(`{ searchSuggestions(prefix: %q) { text documents kind } }`, x.word), q(`{ searchSuggestions(prefix: "%.6s", language: "en") { text documents kind } }`, x.word)},
		"user":              {q(`{ user(id: %q) { id email } }`, x.user), q(`{ user(email: %q) { id } }`, x.email)},
		"users":             {`{ users { id email } }`},
		"usersConnection":   {`{ usersConnection { nodes { id email } totalCount } }`},
		"apiKeys":           {`{ apiKeys { id name prefix } }`},
		"apiKeysConnection": {`{ apiKeysConnection { nodes { id name prefix } totalCount } }`},
		"tenant":            {`{ tenant { name usage { documents users apiKeys } limits { documents } } }`},
		"job":               {q(`{ job(id: %q) { id type payload } }`, x.job), q(`{ job(hashid: %q) { id type } }`, x.jobHash), q(`{ job(id: %q) { id type } }`, x.jobHash)},
		"jobs": {
			`{ jobs { id type } }`, q(`{ jobs(filter: {id: {eq: %q}}) { id } }`, x.job), q(`{ jobs(filter: {type: {eq: %q}}) { id } }`, x.word), `{ jobs(filter: {status: {eq: FAILED}}) { id } }`,
		},
		"jobsConnection": {`{ jobsConnection { nodes { id } totalCount } }`, q(`{ jobsConnection(filter: {id: {in: [%q]}}) { nodes { id } totalCount } }`, x.job)},
		"jobTypes":       {`{ jobTypes { type } }`},
		"file":           {q(`{ file(id: %q) { id filename uploader { email } downloadUrl } }`, x.file)},
		"filesConnection": {
			`{ filesConnection { nodes { id filename } totalCount } }`, q(`{ filesConnection(filter: {id: {eq: %q}}) { nodes { id } totalCount } }`, x.file),
			q(`{ filesConnection(filter: {uploaderId: {eq: %q}}) { nodes { id } totalCount } }`, x.user), q(`{ filesConnection(filter: {filename: {startsWith: %q}}) { nodes { id } } }`, x.word),
		},
		"storageUsage": {`{ storageUsage { bytes files bytesLimit filesLimit } }`},

		"webhook":                    {`{ webhook { id url } }`},
		"webhookEndpointsConnection": {`{ webhookEndpointsConnection { nodes { id name url } totalCount } }`},
		"webhookDelivery":            {q(`{ webhookDelivery(id: %q) { id requestBody endpoint { name } } }`, x.delivery)},
		"webhookDeliveriesConnection": {
			`{ webhookDeliveriesConnection { nodes { id requestBody endpoint { name } } totalCount } }`,
			q(`{ webhookDeliveriesConnection(filter: {endpointId: {eq: %q}}) { nodes { id requestBody } totalCount } }`, x.webhook),
		},
		"webhookHealth": {`{ webhookHealth { endpointId name dead } }`},

		"refreshDashboard": {`mutation { refreshDashboard { stats { documentCount } } }`},
		"issueToken":       {`mutation { issueToken { expiresIn } }`},
		"createApiKey":     {`mutation { createApiKey(input: {name: "k"}) { apiKey { name } } }`},
		"updateApiKey":     {q(`mutation { updateApiKey(input: {id: %q, name: "taken over"}) { apiKey { name } } }`, x.key)},
		"rotateApiKey":     {q(`mutation { rotateApiKey(input: {id: %q}) { apiKey { name } } }`, x.key)},
		"revokeApiKey":     {q(`mutation { revokeApiKey(input: {id: %q}) { id } }`, x.key)},
		"createUser":       {q(`mutation { createUser(input: {email: %q}) { user { __typename } } }`, x.email)},
		"updateUser":       {q(`mutation { updateUser(input: {id: %q, email: "taken@example.org"}) { user { email } } }`, x.user)},
		"deleteUser":       {q(`mutation { deleteUser(input: {id: %q}) { id } }`, x.user), q(`mutation { deleteUser(input: {id: %q, reassignTo: %q}) { id } }`, x.user, x.user)},
		"createDocument": {
			q(`mutation { createDocument(input: {authorId: %q, title: "t", body: "b"}) { document { id } } }`, x.user),
		},
		"createDocuments": {
			q(`mutation { createDocuments(input: {documents: [{authorId: %q, title: "t", body: "b"}]}) { created } }`, x.user),
			q(`mutation { createDocuments(input: {onError: SKIP, documents: [{authorId: %q, title: "t", body: "b"}]}) { created results { errors { code field message } } } }`, x.user),
		},
		"updateDocument": {
			q(`mutation { updateDocument(input: {id: %q, title: "taken over"}) { document { id } } }`, x.document),
			q(`mutation { updateDocument(input: {id: %q, title: "taken over"}) { document { id } } }`, x.documentHash),
		},
		"deleteDocument":     {q(`mutation { deleteDocument(input: {id: %q}) { id } }`, x.document)},
		"setSearchStopWords": {q(`mutation { setSearchStopWords(input: {words: [%q]}) { settings { __typename } } }`, x.word)},
		"setSearchSynonyms": {
			q(`mutation { setSearchSynonyms(input: {term: %q, synonyms: ["other"]}) { synonyms { __typename } } }`, x.word),
			q(`mutation { setSearchSynonyms(input: {term: "term", synonyms: [%q], bothWays: true}) { synonyms { __typename } } }`, x.word),
		},
		"removeSearchSynonyms": {q(`mutation { removeSearchSynonyms(input: {term: %q}) { synonyms { id term synonyms } } }`, x.word)},
		"enqueueJob": {
			q(`mutation { enqueueJob(input: {type: "x", uniqueKey: %q}) { duplicate job { type } } }`, x.unique),
			q(`mutation { enqueueJob(input: {type: "reindex_search", payload: {tenant_id: %q}}) { job { type } } }`, x.tenant),
		},
		"enqueueJobs": {
			q(`mutation { enqueueJobs(input: {jobs: [{type: "y", uniqueKey: "%s-2"}]}) { enqueued results { duplicate } } }`, x.unique),
			q(`mutation { enqueueJobs(input: {onError: SKIP, jobs: [{type: "reindex_search", payload: {tenant_id: %q}}]}) { enqueued results { error { code message } } } }`, x.tenant),
		},
		"createUpload":          {q(`mutation { createUpload(input: {filename: "f", sizeBytes: 1, uploaderId: %q}) { method } }`, x.user)},
		"completeUpload":        {q(`mutation { completeUpload(input: {id: %q}) { file { id } } }`, x.upload), q(`mutation { completeUpload(input: {id: %q}) { file { id } } }`, x.file)},
		"deleteFile":            {q(`mutation { deleteFile(input: {id: %q}) { id } }`, x.file)},
		"setWebhook":            {`mutation { setWebhook(input: {url: "https://example.org/new"}) { webhook { url } } }`},
		"removeWebhook":         {`mutation { removeWebhook { webhook { __typename } } }`},
		"createWebhookEndpoint": {q(`mutation { createWebhookEndpoint(input: {name: "%s-new", url: "https://example.org/"}) { endpoint { __typename } } }`, x.word)},
		"updateWebhookEndpoint": {q(`mutation { updateWebhookEndpoint(input: {id: %q, url: "https://example.org/taken"}) { endpoint { id } } }`, x.webhook)},
		"deleteWebhookEndpoint": {q(`mutation { deleteWebhookEndpoint(input: {id: %q}) { endpoint { id } } }`, x.webhook)},
		"rotateWebhookSecret":   {q(`mutation { rotateWebhookSecret(input: {id: %q}) { secret } }`, x.webhook)},
		"testWebhook":           {q(`mutation { testWebhook(input: {id: %q}) { delivery { id } } }`, x.webhook)},
		"redeliverWebhook":      {q(`mutation { redeliverWebhook(input: {id: %q}) { delivery { id } } }`, x.delivery)},
		"redeliverWebhooks":     {q(`mutation { redeliverWebhooks(input: {endpointId: %q}) { count } }`, x.webhook)},
		"cancelJob":             {q(`mutation { cancelJob(input: {id: %q}) { job { id } } }`, x.job), q(`mutation { cancelJob(input: {id: %q}) { job { id } } }`, x.jobHash)},
		"encryptJobPayload":     {q(`mutation { encryptJobPayload(input: {id: %q, redact: true}) { job { id } } }`, x.job)},
		"decryptJobPayload":     {q(`mutation { decryptJobPayload(input: {id: %q}) { payload } }`, x.failed)},
		"messageQueue":          {q(`{ messageQueue(name: %q) { createdAt metrics { length } } }`, x.word)},
		"messageQueues":         {`{ messageQueues { nodes { createdAt metrics { length } } totalCount } }`},
		"createMessageQueue":    {q(`mutation { createMessageQueue(input: {name: %q}) { queue { __typename } } }`, x.word)},
		"deleteMessageQueue":    {q(`mutation { deleteMessageQueue(input: {name: %q}) { __typename } }`, x.word)},
		"purgeMessageQueue":     {q(`mutation { purgeMessageQueue(input: {name: %q}) { purged } }`, x.word)},
		"setMessageQueueRedrive": {
			q(`mutation { setMessageQueueRedrive(input: {queue: "mine", maxReads: 1, deadLetterQueue: %q}) { queue { __typename } } }`, x.word),
			q(`mutation { setMessageQueueRedrive(input: {queue: %q}) { queue { __typename } } }`, x.word),
		},
		"sendMessage":          {q(`mutation { sendMessage(input: {queue: %q, payload: 1}) { id } }`, x.word)},
		"sendMessages":         {q(`mutation { sendMessages(input: {queue: %q, messages: [{payload: 1}]}) { sent results { id error { code } } } }`, x.word)},
		"readMessages":         {q(`mutation { readMessages(input: {queue: %q}) { messages { payload } } }`, x.word)},
		"popMessages":          {q(`mutation { popMessages(input: {queue: %q}) { messages { payload } } }`, x.word)},
		"setMessageVisibility": {q(`mutation { setMessageVisibility(input: {queue: %q, messages: [{id: 1}], visibilitySeconds: 1}) { messages { id } } }`, x.word)},
		"archiveMessage":       {q(`mutation { archiveMessage(input: {queue: %q, id: 1}) { id } }`, x.word)},
		"archiveMessages":      {q(`mutation { archiveMessages(input: {queue: %q, messages: [{id: 1}]}) { ids } }`, x.word)},
		"deleteMessage":        {q(`mutation { deleteMessage(input: {queue: %q, id: 1}) { id } }`, x.word)},
		"deleteMessages":       {q(`mutation { deleteMessages(input: {queue: %q, messages: [{id: 1}]}) { ids } }`, x.word)},
		"retryJob":             {q(`mutation { retryJob(input: {id: %q}) { job { id } } }`, x.failed)},
	}
}

// rootFields are those of the schema, by name.
func rootFields(t *testing.T, kinds ...ast.Operation) map[string]*ast.FieldDefinition {
	t.Helper()

	s := graph.NewExecutableSchema(graph.Config{}).Schema()
	out := map[string]*ast.FieldDefinition{}
	for _, kind := range kinds {
		root := map[ast.Operation]*ast.Definition{ast.Query: s.Query, ast.Mutation: s.Mutation, ast.Subscription: s.Subscription}[kind]
		for _, f := range root.Fields {
			if !strings.HasPrefix(f.Name, "__") {
				out[f.Name] = f
			}
		}
	}
	require.NotEmpty(t, out)
	return out
}

// rowsWithout returns every row of every table that does not mention a tenant.
func (d *door) rowsWithout(tenantID string) []string {
	d.t.Helper()

	conn := d.Connect(d.t)
	ctx := d.t.Context()
	rows, err := conn.Query(ctx, `SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND n.nspname IN ('public', 'core') AND c.relname <> 'stats_refresh' -- for all tenants
		   AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e') ORDER BY 1`)
	require.NoError(d.t, err)
	var tables []string
	for rows.Next() {
		var name string
		require.NoError(d.t, rows.Scan(&name))
		tables = append(tables, name)
	}
	require.NoError(d.t, rows.Err())
	require.Greater(d.t, len(tables), 8)
	var out []string
	for _, table := range tables {
		rows, err := conn.Query(ctx, `SELECT t::text FROM `+table+` t ORDER BY 1`)
		require.NoError(d.t, err)
		for rows.Next() {
			var row string
			require.NoError(d.t, rows.Scan(&row))
			if !strings.Contains(row, tenantID) {
				out = append(out, table+" "+row)
			}
		}
		require.NoError(d.t, rows.Err())
	}
	return out
}

// Nobody reads or changes, by whatever field and id, what belongs to another tenant, or learns that it is there.
func TestTenantsAreApart(t *testing.T) {
	t.Parallel()

	d := open(t)
	victim, thief := d.tenant(), d.tenant()
	theirs := victim.things("victimword")
	thief.things("thiefword")
	random := things{
		document: uuid.NewString(), documentHash: theirs.documentHash, documentNode: "MTpEb2N1bWVudDowMTlhMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDA",
		user: uuid.NewString(), userNode: "MTpVc2VyOjAxOWEwMDAwLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMA", file: uuid.NewString(), upload: uuid.NewString(), fileNode: nodeid.Encode("File", uuid.NewString()), email: "nobody@example.org",
		job: "987654321", jobHash: theirs.jobHash, jobNode: "MTpKb2I6OTg3NjU0MzIx", failed: "987654322", unique: "unique-nobody", webhook: uuid.NewString(), webhookNode: nodeid.Encode("WebhookEndpoint", uuid.NewString()), delivery: "987654323",
		key: uuid.NewString(), tenant: uuid.NewString(), word: "nobodysword",
	}
	byVictim, byNobody := operations(theirs), operations(random)
	fields := rootFields(t, ast.Query, ast.Mutation)
	require.ElementsMatch(t, slices.Collect(maps.Keys(fields)), slices.Collect(maps.Keys(byVictim)), "a root field without a test of isolation")

	// The operations do reach the things: their owner finds or changes them. On a copy, so that nothing is lost.
	control := victim.things("controlword")
	for _, name := range []string{"node", "nodes", "document", "user", "job", "file"} {
		for _, op := range operations(control)[name] {
			require.NotContains(t, victim.ask(op, nil).raw, "null", op)
		}
	}

	before := d.rowsWithout(thief.scope.TenantID.String())
	require.Contains(t, strings.Join(before, "\n"), "victimword")
	number := regexp.MustCompile(`"totalCount":\d+`)
	queries := rootFields(t, ast.Query)
	names := slices.SortedFunc(maps.Keys(byVictim), func(a, b string) int { // queries first: what mutations make would show in them
		if isQuery := queries[a] != nil; isQuery != (queries[b] != nil) {
			return map[bool]int{true: -1, false: 1}[isQuery]
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		for i, op := range byVictim[name] {
			nobody := thief.ask(byNobody[name][i], nil)
			got := thief.ask(op, nil)
			for _, secret := range []string{"victimword", theirs.email, theirs.tenant, theirs.unique} {
				require.NotContains(t, got.raw, secret, op)
			}
			if name != "revokeApiKey" { // repeats what it was given when there is such a key
				for _, id := range []string{theirs.document, theirs.user, theirs.key, theirs.documentNode, theirs.userNode, theirs.jobNode, theirs.webhook, theirs.webhookNode} {
					require.NotContains(t, got.raw, id, op)
				}
			}
			require.Equal(t, nobody.status, got.status, op)
			require.Equal(t, number.ReplaceAllString(nobody.raw, ""), number.ReplaceAllString(got.raw, ""), "an answer tells that the thing exists: %s", op)
			if queries[name] == nil {
				require.Equal(t, before, d.rowsWithout(thief.scope.TenantID.String()), "%s changed rows of others", op)
			}
		}
	}
	// Cursors of others lead nowhere else than into one's own list.
	for list, cursor := range map[string]string{
		"documentsConnection": theirs.documentCursor, "jobsConnection": theirs.jobCursor, "usersConnection": theirs.userCursor, "searchDocuments": theirs.searchCursor,
	} {
		a := thief.ask(`query ($c: String) { `+list+`(first: 100, after: $c) { nodes { __typename } totalCount } }`, vars{"c": cursor})
		require.Empty(t, a.Errors, a.raw)
		own := thief.get(`{ `+list+` { totalCount } }`, nil)
		require.Equal(t, at(t, own, list, "totalCount"), at(t, a.Data, list, "totalCount"))
	}
}

// @auth stands before the resolver: without the permission nothing reaches the database.
func TestPermissions(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	own := c.things("own")
	// One refused field does not take the others with it, where the schema allows.
	a := c.with("users:read").ask(`{ user(id: "`+own.user+`") { id } document(id: "`+own.document+`") { id } }`, nil)
	require.Equal(t, []string{"FORBIDDEN"}, a.codes())
	require.Equal(t, own.user, at(t, a.Data, "user", "id"))
	require.Nil(t, at(t, a.Data, "document"))

	fields := rootFields(t, ast.Query, ast.Mutation)
	scopes := map[string]bool{}
	for _, f := range fields {
		if auth := f.Directives.ForName("auth"); auth != nil {
			scopes[auth.Arguments.ForName("scope").Value.Raw] = true
		}
	}
	for name, list := range operations(own) {
		auth := fields[name].Directives.ForName("auth")
		if auth == nil {
			continue
		}
		scope := auth.Arguments.ForName("scope").Value.Raw
		noun, _, _ := strings.Cut(scope, ":")
		others := []string{"nothing:*", noun, noun + ":", noun + ":rea", strings.ToUpper(scope), scope + "x"}
		for s := range scopes {
			if s != scope {
				others = append(others, s)
			}
		}
		for _, op := range list {
			d.statements.take()
			a := c.with(others...).ask(op, nil)
			require.Equal(t, []string{"FORBIDDEN"}, a.codes(), "%s with %v", op, others)
			require.Contains(t, a.Errors[0].Message, scope)
			require.Empty(t, d.statements.take(), "%s reached the database", op)
			require.Equal(t, []string{"FORBIDDEN"}, c.with().ask(op, nil).codes(), op)
		}
		enoughs := []string{scope, noun + ":*", "*"}
		if noun == "operator" { // what tells of all tenants is not among what a tenant can grant
			require.Equal(t, []string{"FORBIDDEN"}, c.with("*").ask(list[0], nil).codes(), list[0])
			enoughs = enoughs[:2]
		}
		for _, enough := range enoughs {
			a := c.with(enough).ask(list[0], nil)
			if slices.Contains(a.fields(), "scopes") { // a key that may do more than the caller
				continue
			}
			require.NotContains(t, a.codes(), "FORBIDDEN", "%s with %s: %s", list[0], enough, a.raw)
		}
	}
}

// The database keeps tenants apart on its own, should the layer above it forget.
func TestRowsOfOthersAreOutOfSight(t *testing.T) {
	t.Parallel()

	d := open(t)
	victim, thief := d.tenant(), d.tenant()
	theirs := victim.things("victimword")
	for _, table := range []string{"documents", "jobs", "app_users", "tenants", "job_events", "search_synonyms", "search_settings", "core.outbox", "webhook_endpoints", "webhook_lanes", "webhook_deliveries"} {
		column := "tenant_id"
		if table == "tenants" {
			column = "id"
		}
		n, err := db.Get[int](thief.ctx(), d.API, "count", `SELECT count(*) FROM `+table+` WHERE `+column+` = $1`, theirs.tenant)
		require.NoError(t, err)
		require.Zero(t, n, table)
		n, err = db.Get[int](victim.ctx(), d.API, "count", `SELECT count(*) FROM `+table+` WHERE `+column+` = $1`, theirs.tenant)
		require.NoError(t, err)
		require.NotZero(t, n, table)
	}
	_, err := db.Exec(thief.ctx(), d.API, `SELECT * FROM find_documents($1, '{}')`, theirs.tenant)
	require.Error(t, err)
}

func TestAnswersAreJSON(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	c.things("word")
	for _, list := range operations(c.things("again")) {
		for _, op := range list {
			require.True(t, json.Valid([]byte(c.ask(op, nil).raw)), op)
		}
	}
}
