import { useEffect, useRef, useState } from "react";
import { Answer } from "./fetcher.js";

const command = "stackforge key create --tenant <tenant> --name <name>";

// While somebody types, the key is used this long after the last stroke; at once on Enter and when the field is left.
const typingPause = 600;

// describe turns key and last answer into what the bar says: [kind for the colour, words].
function describe(key, answer) {
  switch (answer) {
    case null:
      return key ? ["wait", "Checking the key…"] : ["wait", "Connecting…"];
    case Answer.accepted:
      return key ? ["good", "Key accepted"] : ["idle", "No key set"];
    case Answer.refused:
      return key ? ["bad", "Key not accepted"] : ["bad", "Key missing"];
    case Answer.unreachable:
      return ["bad", "Server unreachable"];
    default:
      return key ? ["idle", "Key set"] : ["bad", "Key missing"];
  }
}

// KeyBar is the strip above GraphiQL: the field for the API key, and what the server thinks of it.
export function KeyBar({ title, apiKey, remember, answer, onKey, onRemember }) {
  const [draft, setDraft] = useState(apiKey);
  const [isShown, setShown] = useState(false);
  const input = useRef(null);

  useEffect(() => setDraft(apiKey), [apiKey]);
  useEffect(() => {
    const timer = setTimeout(() => onKey(draft.trim()), typingPause);
    return () => clearTimeout(timer);
  }, [draft, onKey]);

  const [kind, words] = describe(apiKey, answer);
  const useNow = () => onKey(draft.trim());
  const forget = () => {
    setDraft("");
    onKey("");
    input.current?.focus();
  };

  return (
    <header className="bar">
      <h1 className="bar-title">{title}</h1>
      <form
        className="bar-form"
        onSubmit={(event) => {
          event.preventDefault();
          useNow();
        }}
      >
        <label className="bar-label" htmlFor="api-key">
          API key
        </label>
        <div className="bar-field">
          <input
            id="api-key"
            ref={input}
            type={isShown ? "text" : "password"}
            value={draft}
            placeholder="Paste your key"
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            data-1p-ignore=""
            data-lpignore="true"
            aria-describedby="api-key-status"
            aria-invalid={kind === "bad" && apiKey !== ""}
            onChange={(event) => setDraft(event.target.value)}
            onBlur={useNow}
          />
          <button
            type="button"
            className="bar-show"
            aria-pressed={isShown}
            aria-label="Show the key"
            onClick={() => setShown(!isShown)}
          >
            {isShown ? "Hide" : "Show"}
          </button>
        </div>
        <label className="bar-remember">
          <input type="checkbox" checked={remember} onChange={(event) => onRemember(event.target.checked)} />
          Remember in this browser
        </label>
        {apiKey && (
          <button type="button" className="bar-forget" onClick={forget}>
            Forget
          </button>
        )}
      </form>
      <p id="api-key-status" className={`bar-status bar-status-${kind}`} role="status">
        {words}
      </p>
    </header>
  );
}

// KeyHint says how to get a key. It is shown when the key is missing or refused.
export function KeyHint({ apiKey, answer }) {
  const [isCopied, setCopied] = useState(false);
  const wantsKey = answer === Answer.refused || (answer === Answer.other && !apiKey);
  if (!wantsKey) {
    return null;
  }
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(command);
      setCopied(true);
    } catch {
      setCopied(false); // no clipboard on a plain-http address; the text can be selected
    }
  };
  return (
    <aside className="hint" aria-label="How to get an API key">
      <p>
        {apiKey
          ? "The server does not accept this key: it may be revoked, expired, or of another installation."
          : "This API wants a key, also to show its schema. Paste one above."}{" "}
        A new one comes from:
      </p>
      <code>{command}</code>
      <button type="button" onClick={copy}>
        {isCopied ? "Copied" : "Copy"}
      </button>
    </aside>
  );
}
