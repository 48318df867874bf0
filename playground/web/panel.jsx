import { useEditorContext, useSchemaStore } from "@graphiql/react";
import { useEffect, useRef } from "react";
import { flushSync } from "react-dom";
import { examples } from "./examples.js";

function ExamplesIcon(props) {
  return (
    <svg viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.5" height="1em" {...props}>
      <path d="M7.5 2.75h5M8.5 2.75v5L3.6 15.4a1.2 1.2 0 0 0 1 1.85h10.8a1.2 1.2 0 0 0 1-1.85L11.5 7.75v-5" />
      <path d="M6 12.5h8" />
    </svg>
  );
}

// Examples lists examples.js. Choosing one goes to its tab, or opens it again when that tab was closed or changed.
function Examples() {
  const { tabs, addTab, changeTab, queryEditor, variableEditor } = useEditorContext({ nonNull: true });
  const open = ({ query, variables }) => {
    const index = tabs.findIndex((tab) => tab.query === query);
    if (index >= 0) {
      changeTab(index);
      return;
    }
    flushSync(addTab); // the new tab must be the active one before its editors are filled
    queryEditor?.setValue(query);
    variableEditor?.setValue(variables ?? "");
  };
  return (
    <section aria-label="Examples">
      <div className="graphiql-doc-explorer-title examples-title">Examples</div>
      <ul className="examples">
        {examples.map((example) => (
          <li key={example.title}>
            <button type="button" onClick={() => open(example)}>
              <strong>{example.title}</strong>
              <span>{example.summary}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

export const examplesPanel = { title: "Examples", icon: ExamplesIcon, content: Examples };

// ClearStaleError empties the response pane when it still shows why the schema could not be read and now it can.
export function ClearStaleError() {
  const fetchError = useSchemaStore((store) => store.fetchError);
  const { responseEditor } = useEditorContext({ nonNull: true });
  const shown = useRef(null);
  useEffect(() => {
    if (fetchError) {
      shown.current = fetchError;
    } else if (shown.current && responseEditor?.getValue() === shown.current) {
      responseEditor.setValue("");
      shown.current = null;
    }
  }, [fetchError, responseEditor]);
  return null;
}
