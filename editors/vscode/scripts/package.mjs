// Makes the .vsix for one platform, with the server in it: npm run package [-- TARGET [FILE]], where TARGET is one of
// VS Code's platforms below, or universal, which carries no server and starts the one on the PATH; without it, the
// platform of this machine. FILE is layerwise-TARGET.vsix unless given.
// LAYERWISE_SERVER names a server that is built already for that platform.
import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const targets = {
	"linux-x64": { GOOS: "linux", GOARCH: "amd64" },
	"linux-arm64": { GOOS: "linux", GOARCH: "arm64" },
	"linux-armhf": { GOOS: "linux", GOARCH: "arm", GOARM: "7" },
	"alpine-x64": { GOOS: "linux", GOARCH: "amd64" },
	"alpine-arm64": { GOOS: "linux", GOARCH: "arm64" },
	"darwin-x64": { GOOS: "darwin", GOARCH: "amd64" },
	"darwin-arm64": { GOOS: "darwin", GOARCH: "arm64" },
	"win32-x64": { GOOS: "windows", GOARCH: "amd64" },
	"win32-arm64": { GOOS: "windows", GOARCH: "arm64" },
	universal: {},
};

const target = process.argv[2] ?? `${process.platform}-${process.arch === "arm" ? "armhf" : process.arch}`;
const go = targets[target];
if (!go) {
	console.error(`package: ${target} is none of ${Object.keys(targets).join(", ")}`);
	process.exit(2);
}

const extension = join(dirname(fileURLToPath(import.meta.url)), "..");
const run = (command, args, env = {}) =>
	execFileSync(command, args, { cwd: extension, stdio: "inherit", env: { ...process.env, ...env } });

const program = go.GOOS === "windows" ? "layerwise.exe" : "layerwise";
rmSync(join(extension, "server"), { recursive: true, force: true });
if (target === "universal") {
	console.log("no server is packed");
} else if (process.env.LAYERWISE_SERVER) {
	cpSync(process.env.LAYERWISE_SERVER, join(extension, "server", program));
} else {
	const build = ["build", "-trimpath", "-ldflags=-s -w", "-o", `server/${program}`, "../../cmd/layerwise"];
	run("go", build, { ...go, CGO_ENABLED: "0" });
}
cpSync(join(extension, "..", "..", "CHANGELOG.md"), join(extension, "CHANGELOG.md"));
run("npm", ["run", "--silent", "check"]);
run("npm", ["run", "--silent", "compile"]);
// The links of README.md are relative to this folder.
const links = (kind) => `https://github.com/layerwise/layerwise/${kind}/HEAD/editors/vscode`;
run(process.execPath, [
	"node_modules/@vscode/vsce/vsce",
	"package",
	"--no-dependencies",
	...(target === "universal" ? [] : ["--target", target]),
	...["--baseContentUrl", links("blob")],
	...["--baseImagesUrl", links("raw")],
	...["--out", process.argv[3] ?? `layerwise-${target}.vsix`],
]);
