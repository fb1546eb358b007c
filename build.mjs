// One self-contained ESM + CSS per folder in src/nbannot/js/widgets.
// No code splitting: anywidget loads `_esm` from a blob: URL, from which a
// relative `import "./chunk.js"` cannot resolve.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import esbuild from "esbuild";

const src = "src/nbannot/js/widgets";
const out = "src/nbannot/static";
const watch = process.argv.includes("--watch");

const entryPoints = Object.fromEntries(
	readdirSync(src).map((name) => [name, `${src}/${name}/index.tsx`]),
);

const options = {
	entryPoints,
	outdir: out,
	bundle: true,
	format: "esm",
	target: "es2022",
	platform: "browser",
	jsx: "automatic",
	jsxImportSource: "preact",
	minify: !watch,
	sourcemap: watch ? "inline" : false,
	define: {
		// UMD dependencies must not find JupyterLab's / Notebook's AMD loader.
		"define.amd": "false",
		"process.env.NODE_ENV": JSON.stringify(watch ? "development" : "production"),
	},
	legalComments: "none",
	metafile: true,
	logLevel: "info",
};

if (watch) {
	mkdirSync(out, { recursive: true });
	const context = await esbuild.context(options);
	await context.watch();
} else {
	rmSync(out, { recursive: true, force: true });
	const { metafile } = await esbuild.build(options);
	const sizes = Object.entries(metafile.outputs).map(([f, o]) => `${o.bytes}\t${f}`);
	writeFileSync(`${out}/.built`, `${sizes.sort().join("\n")}\n`);
}
