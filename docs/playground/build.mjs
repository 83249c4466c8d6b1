// Makes the playground: one page that works from a file and from any web server.
// build.mjs [FOLDER], which is .cache/playground if it is not given.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const out = resolve(process.argv[2] ?? join(root, ".cache", "playground"));
mkdirSync(out, { recursive: true });

const wasm = join(out, "layerwise.wasm");
execFileSync("go", ["build", "-trimpath", "-ldflags", "-s -w", "-o", wasm, "./cmd/playground"], {
	cwd: root,
	env: { ...process.env, GOOS: "js", GOARCH: "wasm" },
	stdio: "inherit",
});
const goroot = execFileSync("go", ["env", "GOROOT"], { encoding: "utf8" }).trim();
const runtime = readFileSync(join(goroot, "lib", "wasm", "wasm_exec.js"), "utf8");
const page = await build({
	entryPoints: [join(here, "src", "main.js")],
	bundle: true,
	minify: true,
	format: "iife",
	write: false,
});
const style = readFileSync(join(here, "src", "style.css"), "utf8");

// A page that is opened as a file may fetch nothing, so the core is within the page: compressed, then as text.
const core = gzipSync(readFileSync(wasm), { level: 9 });
const start = `${runtime}
(async () => {
	const bytes = Uint8Array.from(atob("${core.toString("base64")}"), (c) => c.charCodeAt(0));
	const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
	const go = new Go();
	const { instance } = await WebAssembly.instantiate(await new Response(stream).arrayBuffer(), go.importObject);
	go.run(instance);
})();`;
const parts = { STYLE: style, SCRIPT: page.outputFiles[0].text, WASM: start };
const html = readFileSync(join(here, "index.html"), "utf8").replace(/\/\*(STYLE|SCRIPT|WASM)\*\//g, (_, part) =>
	parts[part].replaceAll("</script", "<\\/script"),
);
writeFileSync(join(out, "index.html"), html);
console.log(`${join(out, "index.html")}: ${Math.round(gzipSync(html).length / 1024)} KB compressed`);
