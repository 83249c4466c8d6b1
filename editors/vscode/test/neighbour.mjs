// What Layerwise leaves to others in VS Code: Compose and bake files to the extensions that serve them, which are the
// same there with and without Layerwise, Dockerfiles if the user says so, and in a folder that the user does not trust
// every program and every builder.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually, read, startEditor } from "./editor.mjs";

const { WORK, WORKSPACE, ARTEFACTS, LAYERWISE } = process.env;
const shop = join(WORKSPACE, "shop");
const socket = join(WORK, "builder.sock");

const compose = `services:
  web:
    build:
      context: .
      args:
        A: "1"
    ports:
      - "80:80"
  db:
    image: postgres
    environment:
      POSTGRES_DB: shop
volumes:
  data:
    driver: local
# as typed
`;
const bake = `target "web" {
  context = "."
  args = {
    A = "1"
  }
}
# as typed
`;

/** Makes an extension of a known name that completes and formats Compose and bake files, and completes Dockerfiles. */
function neighbour() {
	const dir = join(WORK, "neighbour");
	mkdirSync(dir);
	const manifest = {
		name: "vscode-containers",
		displayName: "Container Tools",
		publisher: "ms-azuretools",
		version: "1.0.0",
		engines: { vscode: "^1.82.0" },
		main: "./main.js",
		activationEvents: ["*"],
		capabilities: { untrustedWorkspaces: { supported: true } },
	};
	writeFileSync(join(dir, "package.json"), JSON.stringify(manifest));
	writeFileSync(join(dir, "README.md"), "A test.");
	writeFileSync(
		join(dir, "main.js"),
		`const vscode = require("vscode");
		exports.activate = () => {
			const files = { pattern: "**/*.{yaml,hcl}" };
			vscode.languages.registerDocumentFormattingEditProvider(files, {
				provideDocumentFormattingEdits(document) {
					const at = document.getText().indexOf("# as typed");
					const range = new vscode.Range(document.positionAt(at), document.positionAt(at + 10));
					return at < 0 ? [] : [vscode.TextEdit.replace(range, "# formatted")];
				},
			});
			vscode.languages.registerCompletionItemProvider([files, { language: "dockerfile" }], {
				provideCompletionItems: () => [new vscode.CompletionItem("neighbour")],
			});
		};`,
	);
	const vsix = join(WORK, "neighbour.vsix");
	const vsce = join(import.meta.dirname, "..", "node_modules", "@vscode", "vsce", "vsce");
	const options = ["--no-dependencies", "--allow-missing-repository", "--skip-license", "--out", vsix];
	execFileSync(process.execPath, [vsce, "package", ...options], { cwd: dir, stdio: "pipe" });
	return vsix;
}

/** Makes a server for which programs that note that they are run stand in front of the real ones. */
function watchedServer() {
	const dir = join(WORK, "spies");
	const log = join(WORK, "ran");
	mkdirSync(dir);
	writeFileSync(log, "");
	for (const name of ["git", "shellcheck"]) {
		const rest = name === "git" ? `PATH=\${PATH#*:} exec git "$@"` : "exit 0";
		writeFileSync(join(dir, name), `#!/bin/sh\necho ${name} >>'${log}'\n${rest}\n`);
		chmodSync(join(dir, name), 0o755);
	}
	const server = join(WORK, "watched");
	writeFileSync(server, `#!/bin/sh\nPATH='${dir}':$PATH BUILDKIT_HOST='unix://${socket}' exec '${LAYERWISE}' "$@"\n`);
	chmodSync(server, 0o755);
	return { server, ran: () => [...new Set(read(log).split("\n"))].filter(Boolean).sort() };
}

/** A socket that the server takes for a builder's; counts who connects. */
async function builder() {
	const asked = { times: 0 };
	const listener = createServer((connection) => {
		asked.times++;
		connection.destroy();
	});
	await new Promise((resolve) => listener.listen(socket, resolve));
	listener.unref();
	return asked;
}

const extensions = [neighbour()];
const { server, ran } = watchedServer();
const asked = await builder();

const settings = {
	"layerwise.server.path": server,
	"editor.formatOnSave": true,
	"editor.showFoldingControls": "always",
	"editor.wordBasedSuggestions": "off",
	"security.workspace.trust.startupPrompt": "never",
	"security.workspace.trust.banner": "never",
};

/** Asks for completion at a line, which is the neighbour's alone. */
async function completes(what, window, line) {
	await window.goToLine(line);
	const offered = await window.complete();
	await eventually(what, async () =>
		assert.match((await offered.allTextContents()).join("|"), /^neighbour[^|]*$/));
	await window.page.keyboard.press("Escape");
}

/** Opens a file that is the neighbour's, and compares what VS Code does with it. */
async function leaves(window, name, text, folds, own) {
	await window.openFile(name);
	if (own) {
		const lens = window.page.locator(".codelens-decoration", { hasText: "web" });
		await lens.first().waitFor(); // Layerwise has read it
	}
	await sleep(1000);
	await eventually(`${name} has the folds of its indentation`, async () => assert.equal(await window.folds(), folds));
	await completes(`${name} is completed by its own extension alone`, window, text.split("\n").length);
	await window.page.keyboard.type(" ");
	await window.page.keyboard.press("Control+s");
	await eventually(`${name} is formatted by its own extension when it is saved`, () =>
		assert.match(read(join(shop, name)), /# formatted/),
	);
}

async function both(window, own) {
	await leaves(window, "compose.yaml", compose, 9, own);
	await leaves(window, "docker-bake.hcl", bake, 2, own);
}

async function session(what, options, run) {
	writeFileSync(join(shop, "compose.yaml"), compose);
	writeFileSync(join(shop, "docker-bake.hcl"), bake);
	const vscode = await startEditor(settings, { extensions, ...options });
	let window;
	try {
		window = await vscode.open(shop);
		await run(window);
		await window.page.screenshot({ path: join(ARTEFACTS, `${what}.png`) });
	} catch (error) {
		await window?.page.screenshot({ path: join(ARTEFACTS, "failure.png") }).catch(() => {});
		console.error(`FAILED: ${error.message}\nThe screen is in ${ARTEFACTS}`);
		process.exitCode = 1;
	} finally {
		await vscode.stop();
	}
}

// First, so that no program was run yet.
await session("restricted", { trusting: false }, async (window) => {
	await window.openFile("Dockerfile");
	await eventually("the status bar of a folder that is not trusted says why", async () =>
		assert.match(await window.statusBar(), /10\/10 cached.*Restricted Mode.*the file as it was opened/),
	);
	await sleep(2000); // ShellCheck is asked after a pause
	assert.deepEqual(ran(), [], "no program runs in a folder that is not trusted");
	assert.equal(asked.times, 0, "no builder is asked in a folder that is not trusted");

	const toast = window.page.locator(".notification-toast", { hasText: "Container Tools serves Dockerfiles too" });
	const button = (title) => toast.locator(".monaco-button", { hasText: title });
	await button("Show Container Tools").waitFor();
	await button("Format with Layerwise").waitFor();
	await window.page.screenshot({ path: join(ARTEFACTS, "neighbours.png") });
	await button("Only Marks from Layerwise").click();
	await eventually("that only marks are wanted is kept", () =>
		assert.match(read(join(WORK, "user", "User", "settings.json")), /"layerwise.marksOnly": true/));
	await eventually("the marks stay", async () => assert.match(await window.statusBar(), /10\/10 cached/));
	await completes("Dockerfiles are completed by the other extension alone", window, 17);
});
await session("neighbour", {}, async (window) => {
	await window.openFile("Dockerfile");
	await eventually("where the folder is trusted, git, ShellCheck and the builder are asked", () => {
		assert.deepEqual(ran(), ["git", "shellcheck"]);
		assert.notEqual(asked.times, 0);
	});
	await both(window, true);
});
await session("alone", { own: false }, (window) => both(window, false));
console.log(process.exitCode ? "VS Code, what is left to others: FAILED" : "VS Code, what is left to others: passed");
