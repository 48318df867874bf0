// Where the API key is kept. Never in the query string of an address: those end up in histories and access logs.

const storageName = "stackforge:apiKey";

// takeFromFragment returns the key of an address like /playground#key=… and removes it from the address bar and the
// history entry. A fragment is never sent to a server. It is "" when there is none.
function takeFromFragment() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key === null) {
    return "";
  }
  history.replaceState(history.state, "", location.pathname + location.search);
  return key.trim();
}

// Storage throws when the browser forbids it; the key then lives as long as the page.
function attempt(access) {
  try {
    return access();
  } catch {
    return null;
  }
}

// loadKey returns { key, remember }: the key of the fragment when there is one (which is stored), else the stored one.
export function loadKey() {
  const given = takeFromFragment();
  const remembered = attempt(() => localStorage.getItem(storageName));
  const ofThisTab = attempt(() => sessionStorage.getItem(storageName));
  const remember = remembered !== null || ofThisTab === null;
  const key = given || (ofThisTab ?? remembered ?? "");
  if (given) {
    storeKey(given, remember);
  }
  return { key, remember };
}

// storeKey keeps the key in this browser, or only in this tab when remember is false. An empty key is removed.
export function storeKey(key, remember) {
  attempt(() => localStorage.removeItem(storageName));
  attempt(() => sessionStorage.removeItem(storageName));
  if (key) {
    attempt(() => (remember ? localStorage : sessionStorage).setItem(storageName, key));
  }
}

// onKeyFromFragment calls back with the key when a link with #key=… is followed while the page is open.
export function onKeyFromFragment(callback) {
  const listen = () => {
    const key = takeFromFragment();
    if (key) {
      callback(key);
    }
  };
  addEventListener("hashchange", listen);
  return () => removeEventListener("hashchange", listen);
}
