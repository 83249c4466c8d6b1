// Makes the playground: one page that works from a file and from any web server.
// build.mjs [FOLDER], which is .cache/playground if it is not given.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { edited, examples, request } from "./src/examples.js";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const out = resolve(process.argv[2] ?? join(root, ".cache", "playground"));
mkdirSync(out, { recursive: true });

const wasm = join(out, "layerwise.wasm");
const go = (...args) => execFileSync("go", args, { cwd: root, encoding: "utf8" }).trim();
execFileSync("go", ["build", ...slimBuildKit(), "-trimpath", "-ldflags", "-s -w", "-o", wasm, "./cmd/playground"], {
	cwd: root,
	env: { ...process.env, GOOS: "js", GOARCH: "wasm" },
	stdio: "inherit",
});
const goroot = go("env", "GOROOT");
const runtime = readFileSync(join(goroot, "lib", "wasm", "wasm_exec.js"), "utf8");
const bundle = async (name, define) => {
	const options = { bundle: true, minify: true, format: "iife", write: false, define };
	const made = await build({ ...options, entryPoints: [join(here, "src", name)] });
	return made.outputFiles[0].text;
};
const worker = runtime + (await bundle("worker.js"));
const page = await bundle("main.js", {
	ANSWERS: JSON.stringify(await answers()),
	WORKER: JSON.stringify(worker),
});
const style = readFileSync(join(here, "src", "style.css"), "utf8");

// A page that is opened as a file may fetch nothing, so the core is within the page: compressed, then as text. xz makes
// a quarter less of it than gzip, which the browser could unpack by itself.
const core = execFileSync("xz", ["-9e", "--stdout", wasm], { maxBuffer: 1 << 28 });
const parts = { STYLE: style, SCRIPT: page, CORE: core.toString("base64") };
const html = readFileSync(join(here, "index.html"), "utf8").replace(/\/\*(STYLE|SCRIPT|CORE)\*\//g, (_, part) =>
	parts[part].replaceAll("</script", "<\\/script"),
);
writeFileSync(join(out, "index.html"), html);
console.log(`${join(out, "index.html")}: ${Math.round(gzipSync(html).length / 1024)} KB compressed`);

// answers are what the core says of the examples, by the request.
async function answers() {
	new Function(runtime)();
	const go = new Go();
	const { instance } = await WebAssembly.instantiate(readFileSync(wasm), go.importObject);
	await new Promise((ready) => {
		globalThis.layerwiseReady = ready;
		go.run(instance);
	});
	return Object.fromEntries(
		examples.map((example) => request(example.before, edited(example))).map((r) => [r, globalThis.layerwise(r)]),
	);
}

// slimBuildKit gives the arguments for a build with a copy of BuildKit whose errors carry no stack: these bring
// protobuf with its reflection, a fifth of the whole, and nothing here shows them.
function slimBuildKit() {
	const copy = join(out, "buildkit");
	const source = go("list", "-m", "-f", "{{.Dir}}", "github.com/moby/buildkit");
	rmSync(copy, { recursive: true, force: true });
	mkdirSync(copy);
	execFileSync("cp", ["-R", ...["go.mod", "frontend", "util"].map((part) => join(source, part)), copy]);
	execFileSync("chmod", ["-R", "u+w", copy]); // Go keeps its modules read-only
	const stack = join(copy, "util", "stack");
	rmSync(stack, { recursive: true, force: true });
	mkdirSync(stack);
	writeFileSync(join(stack, "stack.go"), "package stack\n\nfunc Enable(err error) error { return err }\n");
	const modfile = join(out, "go.mod");
	cpSync(join(root, "go.mod"), modfile);
	cpSync(join(root, "go.sum"), join(out, "go.sum"));
	go("mod", "edit", `-replace=github.com/moby/buildkit=${copy}`, modfile);
	return ["-mod=mod", `-modfile=${modfile}`];
}
