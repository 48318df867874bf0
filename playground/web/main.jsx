import { GraphiQL } from "graphiql";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import "graphiql/style.css";
import { examples } from "./examples.js";
import { Answer, createFetcher, createSubscriptions, socketURL } from "./fetcher.js";
import { loadKey, onKeyFromFragment, storeKey } from "./key.js";
import { KeyBar, KeyHint } from "./keybar.jsx";
import { ClearStaleError, examplesPanel } from "./panel.jsx";
import "./style.css";

const newTab = "# Ctrl+Space completes, Ctrl+Enter runs. The book on the left is the manual of the whole API.\n\n";

function App({ title, endpoint, subscriptionEndpoint }) {
  const [{ key, remember }, setAccess] = useState(loadKey);
  const [answer, setAnswer] = useState(null);
  const currentKey = useRef(key);

  const setKey = useCallback((next) => {
    if (next === currentKey.current) {
      return;
    }
    currentKey.current = next;
    setAnswer(null);
    setAccess((access) => ({ ...access, key: next }));
  }, []);
  useEffect(() => onKeyFromFragment(setKey), [setKey]);
  useEffect(() => storeKey(key, remember), [key, remember]);

  const subscriptions = useMemo(
    () =>
      createSubscriptions({
        url: socketURL(subscriptionEndpoint),
        getKey: () => currentKey.current,
        onAnswer: setAnswer,
      }),
    [subscriptionEndpoint],
  );

  // A new fetcher makes GraphiQL read the schema again, so there is one for each key.
  const fetcher = useMemo(() => {
    const onAnswer = (next) => {
      if (key === currentKey.current) {
        setAnswer(next); // an answer to a request with an older key says nothing about this one
      }
    };
    return createFetcher({ endpoint, key, subscriptions, onAnswer });
  }, [endpoint, key, subscriptions]);

  const isFirst = useRef(true);
  useEffect(() => {
    if (isFirst.current) {
      isFirst.current = false;
    } else {
      subscriptions.renew();
    }
  }, [key, subscriptions]);

  return (
    <>
      <KeyBar
        title={title}
        apiKey={key}
        remember={remember}
        answer={answer}
        onKey={setKey}
        onRemember={(next) => setAccess((access) => ({ ...access, remember: next }))}
      />
      <KeyHint apiKey={key} answer={answer} />
      <main className="ide">
        <GraphiQL
          fetcher={fetcher}
          defaultQuery={newTab}
          defaultTabs={examples.map(({ query, variables }) => ({ query, variables: variables ?? null }))}
          defaultEditorToolsVisibility="variables"
          plugins={[examplesPanel]}
          shouldPersistHeaders={false}
        >
          <GraphiQL.Logo>
            <span className="logo">GraphiQL</span>
          </GraphiQL.Logo>
          <ClearStaleError />
        </GraphiQL>
      </main>
    </>
  );
}

const root = document.getElementById("playground");
createRoot(root).render(<App {...root.dataset} />);
