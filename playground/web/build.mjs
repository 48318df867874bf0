// Bundles the page into ../assets: one script, one style sheet, three fonts, the page as a Go template, the licences of
// everything inside, and a manifest. The same sources give the same bytes; `npm ci && npm run build` leaves no diff.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const web = path.dirname(fileURLToPath(import.meta.url));
const out = path.join(web, "..", "assets");

// A change to the text of one file of a package. It is an error when there is nothing left to change.
const patch = (name, filter, loader, pattern, replacement) => ({
  name,
  setup(pluginBuild) {
    pluginBuild.onLoad({ filter }, async ({ path: file }) => {
      const text = await readFile(file, "utf8");
      const contents = text.replace(pattern, replacement);
      if (contents === text) {
        throw new Error(`${name}: ${file} is no longer what the patch is for`);
      }
      return { contents, loader };
    });
  },
});

const patches = [
  // GraphiQL's style sheet carries 34 fonts as base64, 360 kB. style.css brings the three files that are used.
  patch("fonts", /graphiql[\\/]dist[\\/]style\.css$/, "css", /@font-face\s*\{[^}]*\}/g, ""),
  // GraphQL.js asks for globalThis.process, which no browser has, and then does the slow checks of development.
  patch("production", /graphql[\\/]jsutils[\\/]instanceOf\.mjs$/, "js", /isProduction\s*\?/, "true ?"),
];

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const { metafile } = await build({
  absWorkingDir: web,
  entryPoints: { playground: "main.jsx" },
  outdir: out,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  bundle: true,
  minify: true,
  format: "esm",
  platform: "browser",
  target: ["es2022"],
  jsx: "automatic",
  charset: "utf8",
  legalComments: "none", // LICENSES.txt has the full texts
  define: { "process.env.NODE_ENV": '"production"' },
  loader: { ".woff2": "file" },
  plugins: patches,
  metafile: true,
  logLevel: "warning",
});

// Two copies of GraphQL.js, one imported and one required, would not accept each other's types.
if (Object.keys(metafile.inputs).some((file) => /node_modules\/graphql\/.*\.js$/.test(file))) {
  throw new Error("a package requires GraphQL.js instead of importing it");
}

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const byName = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

// The page.
const outputs = Object.keys(metafile.outputs).map((file) => path.basename(file));
const favicon = await readFile(path.join(web, "favicon.svg"));
const names = {
  js: outputs.find((name) => name.endsWith(".js")),
  css: outputs.find((name) => name.endsWith(".css")),
  favicon: `favicon-${sha256(favicon).slice(0, 8)}.svg`,
};
await writeFile(path.join(out, names.favicon), favicon);
const page = await readFile(path.join(web, "index.html"), "utf8");
await writeFile(path.join(out, "index.html"), page.replace(/@(\w+)@/g, (_, name) => names[name]));

// The packages of which something is inside, and their licences.
const roots = new Set();
for (const { inputs } of Object.values(metafile.outputs)) {
  for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file);
    if (match && bytesInOutput > 0) {
      roots.add(match[1]);
    }
  }
}
const found = [];
for (const root of [...roots].sort(byName)) {
  const about = JSON.parse(await readFile(path.join(web, root, "package.json"), "utf8"));
  const file = (await readdir(path.join(web, root))).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file && (await readFile(path.join(web, root, file), "utf8")).replace(/\r\n/g, "\n").trim();
  const repository = (about.repository?.url ?? about.repository ?? "").replace(/^git\+|\.git$/g, "");
  found.push({ about, text, repository });
}
const packages = [];
const texts = new Map();
for (const { about, text, repository } of found) {
  const { name, version, license, author } = about;
  packages.push({ name, version, license });
  // A package without the file is covered by the file of another package of the same repository.
  const sibling = found.find((other) => other.text && repository && other.repository === repository);
  const holder = typeof author === "string" ? author : author?.name;
  const declared = `The package has no licence file. Its package.json says: ${license}${holder ? `, by ${holder}` : ""}.`;
  texts.set(`${name} ${version} (${license})`, text ?? sibling?.text ?? declared);
}
packages.sort((a, b) => byName(`${a.name} ${a.version}`, `${b.name} ${b.version}`));
const licences = [...texts].sort(([a], [b]) => byName(a, b)).map(([head, text]) => `${head}\n\n${text}\n`);
const rule = `\n${"-".repeat(80)}\n\n`;
await writeFile(
  path.join(out, "LICENSES.txt"),
  `The playground contains the following packages.\n${rule}${licences.join(rule)}`,
);

// The manifest lets a Go test see, without Node, that the assets are those of the sources.
const sources = {};
for (const file of (await readdir(web)).sort(byName)) {
  if (/\.(js|jsx|mjs|css|html|svg)$/.test(file) || file === "package-lock.json") {
    sources[file] = sha256(await readFile(path.join(web, file)));
  }
}
await writeFile(path.join(out, "manifest.json"), `${JSON.stringify({ packages, sources }, null, 2)}\n`);
