// Runs the GraphQL-over-HTTP audits of graphql-http and prints what is not ok. Exit status 1 when anything is not.
import { auditServer } from 'graphql-http';

const url = process.argv[2] ?? 'http://127.0.0.1:4000/graphql';
const results = await auditServer({ url });
const count = {};
for (const result of results) {
  count[result.status] = (count[result.status] ?? 0) + 1;
  if (result.status !== 'ok') console.log(result.status, result.id, result.name, '-', result.reason);
}
console.log(`${count.ok ?? 0} of ${results.length} ok`, count);
process.exit(count.ok === results.length ? 0 : 1);
