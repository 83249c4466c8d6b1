import * as vscode from "vscode";
import { LanguageClient } from "vscode-languageclient/node";
import { selectBaseline } from "./baseline";
import { paintMarks, withoutTicks } from "./marks";
import { cacheStatus } from "./protocol";
import { Reordered, showReordering } from "./reordering";
import { findServer, isProgram } from "./server";
import { showStatusBar } from "./statusBar";
import { Statuses } from "./statuses";

let client: LanguageClient | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
	const output = vscode.window.createOutputChannel("Layerwise");
	const statuses = new Statuses();
	const reordered = new Reordered(context);
	paintMarks(context, statuses);
	showStatusBar(context, statuses);

	// One start or stop at a time: a client that is still starting cannot be stopped.
	let last = Promise.resolve();
	const restart = () => (last = last.then(() => start(context, output, statuses)));

	context.subscriptions.push(
		output,
		vscode.commands.registerCommand("layerwise.showReordering", () => client && showReordering(client, reordered)),
		vscode.commands.registerCommand("layerwise.selectBaseline", selectBaseline),
		vscode.commands.registerCommand("layerwise.restart", restart),
		vscode.commands.registerCommand("layerwise.showOutput", () => output.show()),
		vscode.workspace.onDidChangeConfiguration((e) => e.affectsConfiguration("layerwise.server.path") && restart()),
	);
	await restart();
}

export async function deactivate(): Promise<void> {
	await client?.stop();
}

/** Starts the server, in place of the one that may be running. */
async function start(context: vscode.ExtensionContext, output: vscode.OutputChannel, statuses: Statuses): Promise<void> {
	await client?.dispose().catch((error) => output.appendLine(`The server did not stop cleanly: ${error}`));
	client = undefined;
	statuses.clear();

	const command = findServer(context);
	if (!command || !isProgram(command)) {
		void reportMissing(command);
		return;
	}
	output.appendLine(`Starting ${command} serve --stdio`);
	client = new LanguageClient(
		"layerwise",
		"Layerwise",
		{ command, args: ["serve", "--stdio"] },
		{
			documentSelector: [{ language: "dockerfile", scheme: "file" }],
			initializationOptions: { cacheStatus: true },
			synchronize: { configurationSection: "layerwise" },
			outputChannel: output,
			middleware: withoutTicks(statuses),
		},
	);
	client.onNotification(cacheStatus, (status) => statuses.receive(status));
	try {
		await client.start();
	} catch (error) {
		output.appendLine(`${command} could not be started: ${error}`); // the client itself has told the user
	}
}

async function reportMissing(named: string | undefined): Promise<void> {
	const message = named
		? `Layerwise: layerwise.server.path names ${named}, which is not a program.`
		: "Layerwise: this extension carries no server for your system and there is no layerwise on the PATH. " +
			"Run “go install github.com/layerwise/layerwise/cmd/layerwise@latest”, or set layerwise.server.path; then restart the server.";
	const settings = "Open Settings";
	const again = "Restart Server";
	const choice = await vscode.window.showWarningMessage(message, settings, again);
	if (choice === settings) {
		await vscode.commands.executeCommand("workbench.action.openSettings", "layerwise.server.path");
	} else if (choice === again) {
		await vscode.commands.executeCommand("layerwise.restart");
	}
}
