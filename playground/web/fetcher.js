import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { getOperationAST, parse } from "graphql";
import { createClient } from "graphql-ws";

// What the last answer said about the key. The key bar shows it.
export const Answer = {
  accepted: "accepted", // the schema was read
  refused: "refused", // 401
  other: "other", // answered, but neither of these, for instance introspection is off
  unreachable: "unreachable",
};

const noKey =
  "This API wants a key. Paste one into the field at the top of the page, or create one with: " +
  "stackforge key create --tenant <tenant> --name <name>";
const badKey = "The server does not accept this API key. It may be revoked, expired, or of another installation.";

const failure = (message) => ({ errors: [{ message }] });

const jsonResponse = (body) =>
  new Response(JSON.stringify(body), { headers: { "content-type": "application/json" } });

// createFetcher returns GraphiQL's fetcher for one key: HTTP for queries and mutations, the socket for subscriptions.
// Everything that goes wrong becomes a GraphQL error with a sentence, never a stack.
export function createFetcher({ endpoint, key, subscriptions, onAnswer }) {
  async function send(url, init) {
    let response;
    try {
      response = await fetch(url, init);
    } catch {
      onAnswer(Answer.unreachable);
      return jsonResponse(failure(`${new URL(url, location.href)} cannot be reached. Is the server running?`));
    }
    if (response.status === 401) {
      onAnswer(Answer.refused);
    }
    const type = response.headers.get("content-type") ?? "";
    if (!type.includes("json") && !type.startsWith("multipart/")) {
      return jsonResponse(
        failure(`The server answered ${response.status} ${response.statusText} and no GraphQL response.`),
      );
    }
    return response;
  }

  const headers = key ? { "x-api-key": key } : {};

  // GraphiQL asks a second time, without subscriptions, when there is no data. Throwing says that it need not.
  async function fetchSchema(params, options) {
    const response = await send(endpoint, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers, ...options?.headers },
      body: JSON.stringify(params),
    });
    const body = await response.json();
    if (response.status === 401) {
      throw { message: key ? badKey : noKey };
    }
    if (!body?.data?.__schema) {
      onAnswer(Answer.other);
      throw body?.errors?.[0] ?? { message: `The schema could not be read: the server answered ${response.status}.` };
    }
    onAnswer(Answer.accepted);
    return body;
  }

  const overHTTP = createGraphiQLFetcher({ url: endpoint, fetch: send, schemaFetcher: fetchSchema, headers });
  return (params, options) => {
    const current = withCurrentOperation(params);
    return current.isSubscription ? subscriptions.run(current.params) : overHTTP(current.params, options);
  };
}

// GraphiQL notes the operations of the editor a moment after the text has changed. Whoever is quicker with Ctrl+Enter
// would run the new text under the old name, or a subscription as a query. So the text decides.
function withCurrentOperation(params) {
  let document;
  try {
    document = parse(params.query);
  } catch {
    return { params, isSubscription: false }; // the server says what is wrong with it
  }
  const only = getOperationAST(document); // null when there are several
  const operation = only ?? getOperationAST(document, params.operationName);
  return {
    params: only ? { ...params, operationName: only.name?.value } : params,
    isSubscription: operation?.operation === "subscription",
  };
}

// createSubscriptions opens one socket when the first subscription runs and closes it after the last. getKey is asked
// at each connect, so renew(), called after the key has changed, reconnects with the new key and subscribes again.
export function createSubscriptions({ url, getKey, onAnswer }) {
  let acknowledged = false; // by the server, since the socket was opened
  let worked = false; // the connection of this subscription, at least once
  let refusedKey = null;

  const client = createClient({
    url,
    lazy: true,
    lazyCloseTimeout: 3000,
    retryAttempts: 8,
    // A connection that was lost, but not one that never worked, nor the error that connectionParams throws below.
    shouldRetry: (reason) => worked && (reason instanceof Event || typeof reason?.code === "number"),
    // 0.1 s to 12.8 s, with some jitter so that many pages do not come back at once after a restart.
    retryWait: (retries) =>
      new Promise((resolve) => setTimeout(resolve, 100 * 2 ** retries * (1 + Math.random() / 4))),
    connectionParams: () => {
      const key = getKey();
      if (key === refusedKey) {
        throw new Error(key ? badKey : noKey); // ends the subscription instead of trying for ever
      }
      return key ? { apiKey: key } : {};
    },
    on: {
      opened: () => {
        acknowledged = false;
      },
      connected: () => {
        acknowledged = true;
        worked = true;
        refusedKey = null;
      },
      closed: (event) => {
        // A server that says 1000 before it has acknowledged means no as well; the client library would retry at once.
        if ([4401, 4403].includes(event.code) || (event.code === 1000 && !acknowledged)) {
          refusedKey = getKey();
          onAnswer(Answer.refused);
        }
        acknowledged = false;
      },
    },
  });

  function explain(error) {
    if (Array.isArray(error)) {
      return { errors: error };
    }
    if (refusedKey !== null && refusedKey === getKey()) {
      return failure(refusedKey ? badKey : noKey);
    }
    if (error?.code === 1006 || (error instanceof Event && !error.code)) {
      return failure(`${url} cannot be reached, or the connection was lost. Is the server running?`);
    }
    if (error?.code) {
      return failure(`The server closed the connection: ${error.reason || "no reason given"} (${error.code}).`);
    }
    return failure(error?.message ?? "The subscription ended unexpectedly.");
  }

  // An iterator by hand, because return() of an async generator would wait for the next event before it stops.
  function run(params) {
    refusedKey = null;
    worked = acknowledged;
    const events = client.iterate(params);
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      async next() {
        try {
          return await events.next();
        } catch (error) {
          return { done: false, value: explain(error) };
        }
      },
      return: () => events.return(),
    };
  }

  return {
    run,
    renew() {
      refusedKey = null;
      client.terminate();
    },
  };
}

// socketURL turns the path, or the address, of the subscription endpoint into a ws: or wss: address.
export function socketURL(endpoint) {
  const url = new URL(endpoint, location.href);
  url.protocol = url.protocol.replace(/^http/, "ws");
  url.hash = "";
  return url.href;
}
