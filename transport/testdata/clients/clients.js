// Drives the server with the clients that browsers use: graphql-ws (new protocol) and subscriptions-transport-ws (old).
import { createClient } from 'graphql-ws';
import legacy from 'subscriptions-transport-ws';
import WebSocket from 'ws';

const url = process.argv[2] ?? 'ws://127.0.0.1:4000/graphql';
const { SubscriptionClient } = legacy;
const failures = [];
const check = (name, ok, seen) => {
  console.log(ok ? 'ok  ' : 'FAIL', name, ok ? '' : JSON.stringify(seen));
  if (!ok) failures.push(name);
};

async function modern() {
  const client = createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0, keepAlive: 200 });
  const run = async (query, limit = Infinity, variables) => {
    const out = [];
    for await (const result of client.iterate({ query, variables })) {
      out.push(result);
      if (out.length >= limit) break;
    }
    return out;
  };
  let seen = await run('{ version }');
  check('graphql-ws query', seen.length === 1 && seen[0].data.version === '1', seen);
  seen = await run('mutation ($t: String!) { rename(id: 1, title: $t) { title } }', Infinity, { t: 'ü "new" \u2028' });
  check('graphql-ws mutation', seen[0].data.rename.title === 'ü "new" \u2028', seen);
  seen = await run('subscription { counts(count: 3) { number } }');
  check('graphql-ws subscription ends', seen.length === 3 && seen[2].data.counts.number === 2, seen);
  seen = await Promise.all([1, 2, 3].map(() => run('subscription { events(topic: "clock") { number } }', 3)));
  check('graphql-ws three streams', seen.every((list) => list.length === 3), seen);
  for (const field of ['failsAtOnce', 'panicsAtOnce', 'failsLater', 'nothing']) {
    seen = await run(`subscription { ${field} { number } }`).then(() => 'no error', (e) => e);
    check(`graphql-ws error of ${field}`, Array.isArray(seen) && seen[0].extensions.code !== undefined, seen);
  }
  await client.dispose();
  const refused = createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams: { apiKey: 'wrong' } });
  seen = await new Promise((done) => refused.subscribe({ query: '{ version }' }, { next: done, error: done, complete: done }));
  check('graphql-ws refused', seen?.code === 4403, seen);
}

async function old() {
  const client = new SubscriptionClient(url, { reconnect: false }, WebSocket);
  const run = (query, limit = Infinity) =>
    new Promise((done) => {
      const out = [];
      const { unsubscribe } = client.request({ query }).subscribe({
        next: (result) => {
          out.push(result);
          if (out.length >= limit) {
            unsubscribe();
            done(out);
          }
        },
        error: (error) => done({ error }),
        complete: () => done(out),
      });
    });
  let seen = await run('{ version }');
  check('legacy query', seen.length === 1 && seen[0].data.version === '1', seen);
  seen = await run('subscription { counts(count: 3) { number } }');
  check('legacy subscription ends', seen.length === 3, seen);
  seen = await Promise.all([1, 2, 3].map(() => run('subscription { events(topic: "clock") { number } }', 3)));
  check('legacy three streams', seen.every((list) => list.length === 3), seen);
  seen = await run('subscription { nothing { number } }');
  check('legacy error', seen.error !== undefined || seen[0]?.errors !== undefined, seen);
  client.close();
  seen = await new Promise((done) => {
    const refused = new SubscriptionClient(url, {
      reconnect: false,
      connectionParams: { apiKey: 'wrong' },
      connectionCallback: (error) => error && done(error),
    }, WebSocket);
    refused.onError(() => {});
  });
  check('legacy refused', seen.message !== undefined, seen);
}

await modern();
await old();
process.exit(failures.length);
