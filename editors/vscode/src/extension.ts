import { ChildProcess, spawn } from "child_process";
import * as vscode from "vscode";
import { LanguageClient, State } from "vscode-languageclient/node";
import { offerToAgents } from "./agents";
import { withChoices } from "./baseline";
import { Front } from "./front";
import { paintMarks, withoutPainted } from "./marks";
import { tellOfNeighbours } from "./neighbours";
import { cacheStatus } from "./protocol";
import { Reorderings, showReordering } from "./reordering";
import { findServer, isProgram } from "./server";
import { showStages } from "./stages";
import { showStatusBar } from "./statusBar";
import { Statuses } from "./statuses";

let client: LanguageClient | undefined;

/**
 * What the server is told of. Compose and bake files go by their names, whatever language the editor takes them for:
 * yaml, dockercompose, hcl, dockerbake, json or plain text. A pattern cannot hold braces within braces.
 */
const documents = [
	{ language: "dockerfile", scheme: "file" },
	{ language: "dockerfile", scheme: "untitled" },
	{ language: "dockercompose", scheme: "file" },
	{ language: "dockerbake", scheme: "file" },
	{ scheme: "file", pattern: "**/{compose,docker-compose}*.{yaml,yml}" },
	{ scheme: "file", pattern: "**/docker-bake*.{hcl,json}" },
	{ scheme: "file", pattern: "**/*.bake.{hcl,json}" },
];

export async function activate(context: vscode.ExtensionContext): Promise<void> {
	const output = vscode.window.createOutputChannel("Layerwise");
	const statuses = new Statuses();
	const front = new Front(context);
	const reorderings = new Reorderings(context);
	paintMarks(context, statuses);
	showStatusBar(context, front, statuses);
	showStages(context, front, statuses);

	const own = new LanguageClient(
		"layerwise",
		"Layerwise",
		async () => run(findServer(context), output),
		{
			documentSelector: documents,
			initializationOptions: () => ({
				cacheStatus: true,
				writesTexts: true,
				suggestCommand: "editor.action.triggerSuggest",
				trusted: vscode.workspace.isTrusted,
			}),
			outputChannel: output,
			middleware: { ...withoutPainted(), ...withChoices(() => client, front) },
		},
	);
	own.onNotification(cacheStatus, (status) => statuses.receive(status));
	own.onDidChangeState(({ newState }) => {
		void vscode.commands.executeCommand("setContext", "layerwise.running", newState === State.Running);
		if (newState === State.Stopped) {
			statuses.clear();
		}
	});
	client = own;

	// One at a time: a server that is still starting cannot be stopped.
	let last = Promise.resolve();
	const restart = () => (last = last.then(() => start(own, context, output)));

	// A settings file is often written in pieces, and the running server is told of the change first.
	let timer: NodeJS.Timeout | undefined;
	const restartSoon = () => {
		clearTimeout(timer);
		timer = setTimeout(restart, 500);
	};

	context.subscriptions.push(
		output,
		vscode.commands.registerCommand("layerwise.showReordering", () =>
			own.isRunning() && front.document && showReordering(own, front.document, reorderings)),
		vscode.commands.registerCommand("layerwise.restart", restart),
		vscode.commands.registerCommand("layerwise.showOutput", () => output.show()),
		// What a folder may not make the server do until the user trusts it is decided at the server's start.
		vscode.workspace.onDidGrantWorkspaceTrust(restart),
		vscode.workspace.onDidChangeConfiguration((e) =>
			e.affectsConfiguration("layerwise.server.path") && restartSoon()),
		{ dispose: () => clearTimeout(timer) },
	);
	await restart();
	offerToAgents(context);
	tellOfNeighbours(context);
}

export async function deactivate(): Promise<void> {
	if (client?.needsStop()) {
		await client.stop();
	}
}

/** Starts the server, in place of the one that may be running. What goes wrong is said, never thrown. */
async function start(
	client: LanguageClient,
	context: vscode.ExtensionContext,
	output: vscode.OutputChannel,
): Promise<void> {
	try {
		if (client.needsStop()) {
			await client.stop();
		}
		const command = findServer(context);
		if (!command || !isProgram(command)) {
			void reportMissing(command);
			return;
		}
		await client.start();
	} catch (error) {
		output.appendLine(`The server could not be started: ${error}`); // the client itself has told the user
	}
}

function run(command: string | undefined, output: vscode.OutputChannel): Promise<ChildProcess> {
	return new Promise((resolve, reject) => {
		if (!command) {
			reject(new Error("there is no server"));
			return;
		}
		output.appendLine(`Starting ${command} serve --stdio`);
		const server = spawn(command, ["serve", "--stdio"]);
		server.once("spawn", () => resolve(server));
		server.once("error", reject);
	});
}

async function reportMissing(named: string | undefined): Promise<void> {
	const message = named
		? `Layerwise: layerwise.server.path names ${named}, which is not a program.`
		: "Layerwise: this extension carries no server for your system and there is no layerwise on the PATH. " +
			"Run “go install github.com/layerwise/layerwise/cmd/layerwise@latest”, or set layerwise.server.path; " +
			"then restart the server.";
	const settings = "Open Settings";
	const again = "Restart Server";
	const choice = await vscode.window.showWarningMessage(message, settings, again);
	if (choice === settings) {
		await vscode.commands.executeCommand("workbench.action.openSettings", "layerwise.server.path");
	} else if (choice === again) {
		await vscode.commands.executeCommand("layerwise.restart");
	}
}
