import * as vscode from "vscode";

const choices = [
	{ label: "auto", description: "the first of these that exists" },
	{ label: "recorded", description: "the last recorded build" },
	{ label: "git", description: "the commit at HEAD" },
	{ label: "git:…", description: "another commit, branch or tag" },
	{ label: "dir:…", description: "a copy of the build context" },
	{ label: "opened", description: "the file as it was opened" },
];

/** Asks what the next build is to be compared with, and writes it to the settings of the folder. */
export async function selectBaseline(): Promise<void> {
	const document = vscode.window.activeTextEditor?.document;
	const settings = vscode.workspace.getConfiguration("layerwise", document);
	const picked = await vscode.window.showQuickPick(choices, {
		placeHolder: `Compare the next build with… (now: ${settings.get("baseline")})`,
	});
	if (!picked) {
		return;
	}
	let value = picked.label;
	if (value.endsWith(":…")) {
		const prefix = value.slice(0, -1);
		const rest = await vscode.window.showInputBox({ prompt: picked.description, placeHolder: prefix === "git:" ? "main" : "../last-build" });
		if (!rest) {
			return;
		}
		value = prefix + rest;
	}
	const folder = document && vscode.workspace.getWorkspaceFolder(document.uri);
	await settings.update("baseline", value, folder ? vscode.ConfigurationTarget.WorkspaceFolder : vscode.ConfigurationTarget.Global);
}
