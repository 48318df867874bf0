// The operations that open as tabs on the first visit and stay listed in the Examples panel. This is the only file to
// edit when they change; run `npm run build` afterwards. A Go test reads it, and fails when an operation does not fit
// the schema.
//
// For that test the form is fixed: `query` and `variables` are template literals without placeholders or backslashes.
// The name of the first operation is the title of the tab; variables are those of the first operation.

export const examples = [
  {
    title: "Read documents",
    summary: "The newest documents, each with its author.",
    query: `# The newest documents of your tenant and their authors.
# Ctrl+Enter (Cmd+Enter on a Mac) runs it;
# Ctrl+Space shows what else can be asked for.
query Documents {
  documents(first: 10, orderBy: created_at_desc) {
    id
    title
    path
    createdAt
    author {
      email
    }
  }
}
`,
  },
  {
    title: "Search documents",
    summary: "Full text, best match first, with matches marked and hits counted; then with typos, and near a place.",
    query: `# Full-text search: words, "phrases", -exclusions, or, pref*.
# Narrow it down with pathPrefix, tagIds, metadata, authorId,
# createdAt, near or within. What is not selected costs nothing.
# Next page: add after: "<the last cursor>".
query Search {
  searchDocuments(query: "postgres", first: 5) {
    edges {
      node {
        document {
          id
          title
          path
        }
        score
        highlights {
          field
          html
        }
      }
      cursor
    }
    totalCount
    didYouMean
    facets(first: 5) {
      paths {
        value
        count
      }
      tags {
        value
        count
      }
      months {
        value
        count
      }
    }
  }
}

# Typos do not matter here. Try SOUNDEX or METAPHONE with
# "Smith chest", and SEMANTIC or HYBRID with a sentence.
query SearchFuzzy {
  searchDocuments(query: "Smyht cardiology", mode: FUZZY) {
    nodes {
      document {
        title
      }
      score
      scores {
        words
        similarity
      }
    }
    warnings
  }
}

# The nearest first, within five kilometres of a point.
query SearchNear {
  searchDocuments(
    near: { longitude: -122.4194, latitude: 37.7749, radius: 5000 }
    first: 5
  ) {
    nodes {
      document {
        title
      }
      distance
    }
  }
}
`,
  },
  {
    title: "Create a document",
    summary: "A mutation whose input comes from the Variables pane, with a query for its author.",
    query: `# The input is in the Variables pane below. It needs an
# author: run Authors, and put one of the ids there.
mutation CreateDocument($input: CreateDocumentInput!) {
  createDocument(input: $input) {
    document {
      id
      title
      path
      createdAt
    }
  }
}

query Authors {
  users(first: 5) {
    id
    email
  }
}
`,
    variables: `{
  "input": {
    "authorId": "the id of an author",
    "title": "Hello from the playground",
    "body": "PostgreSQL does the work, GraphQL is the door.",
    "path": "guides.playground",
    "metadata": { "source": "playground" }
  }
}
`,
  },
  {
    title: "Look at the dashboard",
    summary: "Counts, a series of jobs by hour, the most frequent errors, and what your data take.",
    query: `# Each field is read on its own: leave out what you do not need.
query LookAtTheDashboard {
  dashboard {
    stats {
      documentCount
      newestDocumentAt
      updatedAt
    }
    pivot(months: 6, fillGaps: true) {
      month
      count
    }
    breakdown {
      type
      pending
      running
      done
      failed
    }
    jobSeries(bucket: HOUR, last: 24) {
      at
      type
      done
      failed
      waitP95
      runP95
    }
    jobErrors(days: 7) {
      type
      pattern
      count
      lastAt
    }
    storage {
      kind
      rows
      bytes
      isEstimate
    }
    searchLatency {
      count
      p50
      p95
    }
  }
}
`,
  },
  {
    title: "Enqueue a job",
    summary: "Puts one job on the queue; run Watch jobs first to see it happen.",
    query: `# Puts one job on the queue of your tenant;
# a worker takes it within moments.
# To see that, run WatchJobs in another window first.
mutation EnqueueJob {
  enqueueJob(
    input: {
      type: "send_email"
      payload: { to: "ada@example.com", subject: "Hello" }
    }
  ) {
    job {
      id
      status
    }
  }
}
`,
  },
  {
    title: "Encrypt a payload",
    summary: "A job whose payload is stored encrypted only, sent so that a repetition does nothing.",
    query: `# The payload is checked, then stored encrypted: it reads
# as {}, and the worker decrypts it while the job runs.
# Send this twice: the second answer is the first one again,
# and there is one job. Take another key for another job.
mutation EnqueueEncryptedJob @idempotent(key: "playground-1") {
  enqueueJob(
    input: {
      type: "send_email"
      payload: { to: "ada@example.com", subject: "In confidence" }
      encrypt: true
    }
  ) {
    job {
      id
      encrypted
      payload
    }
  }
}

# Needs the permission jobs:decrypt.
mutation DecryptJobPayload($id: ID!) {
  decryptJobPayload(input: { id: $id }) {
    payload
  }
}
`,
  },
  {
    title: "Watch jobs",
    summary: "A subscription: one event for each change of a job, until you press stop.",
    query: `# Stays open and shows each change of a job as it happens.
# Press the button again to stop. To replay what you
# missed, add (after: "<the last cursor>").
subscription WatchJobs {
  jobUpdates {
    jobId
    type
    status
    attempts
    lastError
    at
    cursor
  }
}
`,
  },
  {
    title: "Set a webhook",
    summary: "Posts every end of a job to a URL of yours; the secret is shown this once.",
    query: `# Posts every job that is done or has failed to your URL,
# signed with the secret, which is shown this once.
# For a receiver on your own machine start the server
# with WEBHOOK_ALLOW_PRIVATE=1.
mutation SetWebhook($webhook: SetWebhookInput!) {
  setWebhook(input: $webhook) {
    webhook {
      id
      url
      enabled
    }
    secret
  }
}
`,
    variables: `{
  "webhook": { "url": "https://example.com/hooks" }
}
`,
  },
  {
    title: "Test the webhook",
    summary: "Sends one event now and shows what the receiver answered.",
    query: `# Sends an event webhook.test to the webhook, and waits
# for what the receiver answers.
mutation TestWebhook {
  testWebhook(input: {}) {
    delivery {
      status
      requestBody
      attemptLog {
        responseStatus
        durationMs
        response
        error
      }
    }
  }
}
`,
  },
  {
    title: "What was delivered",
    summary: "The log of deliveries and how each endpoint does.",
    query: `# What was sent, what came of each attempt, and when the
# next one is; and how each endpoint does.
query WebhookLog {
  webhookDeliveriesConnection(first: 10) {
    nodes {
      id
      event
      status
      attempts
      nextAttemptAt
      attemptLog {
        at
        responseStatus
        error
      }
    }
  }
  webhookHealth {
    name
    circuit
    successRate
    p95Ms
    pending
  }
}
`,
  },
  {
    title: "Messages",
    summary: "Send to a queue, read with a visibility timeout, acknowledge; or let messages come by subscription.",
    query: `# A queue is made on its first use. What is read is hidden for
# visibilitySeconds; archive or delete it by then, or it comes again.
mutation SendMessage {
  sendMessage(input: {queue: "notifications", payload: {to: "ada@example.com"}}) {
    id
  }
}

mutation ReadMessages {
  readMessages(input: {queue: "notifications", limit: 5, visibilitySeconds: 60}) {
    messages {
      id
      payload
      readCount
      receipt
    }
  }
}

mutation ArchiveMessages {
  archiveMessages(input: {queue: "notifications", messages: [{id: "1"}]}) {
    ids
  }
}

query MessageQueues {
  messageQueues(first: 10) {
    nodes {
      name
      metrics {
        length
        visible
        archived
      }
    }
  }
}

# In a second tab: at most two under way until they are archived.
subscription Messages {
  messages(queue: "notifications", prefetch: 2) {
    id
    payload
  }
}
`,
  },
  {
    title: "Files",
    summary: "The newest files with links for a download, and an upload past the API.",
    query: `# A link gives the file to whoever has it, for 15 minutes
# unless expiresIn says otherwise.
query Files {
  filesConnection(first: 10) {
    nodes {
      id
      filename
      contentType
      sizeBytes
      status
      downloadUrl
      uploader {
        email
      }
    }
    pageInfo {
      endCursor
      hasNextPage
    }
  }
  storageUsage {
    files
    bytes
    bytesLimit
  }
}

# One PUT of exactly these bytes goes to the url that this
# answers; then CompleteUpload looks at them. The uploader is a
# user: see Authors in the tab CreateDocument.
mutation BeginUpload($uploader: ID!) {
  createUpload(
    input: {
      filename: "hello.txt"
      contentType: "text/plain"
      sizeBytes: 5
      uploaderId: $uploader
    }
  ) {
    file {
      id
      status
    }
    url
    method
    expiresAt
  }
}

mutation CompleteUpload($id: ID!) {
  completeUpload(input: { id: $id }) {
    file {
      status
      contentType
      checksum
      downloadUrl(expiresIn: 60)
    }
  }
}

mutation DeleteFile($id: ID!) {
  deleteFile(input: { id: $id }) {
    id
  }
}
`,
  },
  {
    title: "Administer the tenant",
    summary: "What the tenant has and may have; its users and keys.",
    query: `# What there is, and what the operator allows. Null is no limit.
query Tenant {
  tenant {
    name
    usage {
      documents
      users
      apiKeys
      jobsToday
      storageBytes
      messages
    }
    limits {
      documents
      users
      apiKeys
      jobsPerDay
    }
  }
  apiKeysConnection(first: 10) {
    nodes {
      id
      prefix
      name
      scopes
      lastUsedAt
    }
  }
}

# A new secret; the old one goes on for an hour.
mutation RotateKey($id: ID!) {
  rotateApiKey(input: {id: $id, overlapSeconds: 3600}) {
    plaintext
    apiKey {
      previousEndsAt
    }
  }
}

# The documents and files of a user go to another one.
mutation DeleteUser($id: ID!, $to: ID) {
  deleteUser(input: {id: $id, reassignTo: $to}) {
    reassignedDocuments
    reassignedFiles
  }
}
`,
  },
  {
    title: "Speak pg_graphql",
    summary: "A query in the dialect of the extension pg_graphql, which answers it.",
    query: `# What the extension shows of your tenant: documentsCollection, jobsCollection,
# filesCollection, appUsersCollection, apiKeysCollection.
# POST /graphql/pg takes such queries as they are, mutations included.
query PgGraphQL($query: String!) {
  capabilities {
    name
    installed
  }
  pgGraphql(query: $query)
}
`,
    variables: `{
  "query": "{ documentsCollection(first: 2) { totalCount edges { node { id title } } } }"
}
`,
  },
];
