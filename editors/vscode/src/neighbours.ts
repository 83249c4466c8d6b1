import * as vscode from "vscode";

/** Extensions that serve Dockerfiles too, and whether they format them. */
const others = [
	{ id: "ms-azuretools.vscode-containers", formats: true },
	{ id: "ms-azuretools.vscode-docker", formats: true },
	{ id: "docker.docker", formats: false },
];

const marksOnly = () => vscode.workspace.getConfiguration("layerwise").get("marksOnly", false);

/**
 * Says once of each other extension that it serves Dockerfiles too, so that findings and completions come twice, with a
 * button for each way out of that.
 */
export function tellOfNeighbours(context: vscode.ExtensionContext): void {
	let asking = false;
	const tell = async () => {
		const shown = vscode.window.activeTextEditor?.document.languageId === "dockerfile";
		const told = context.globalState.get<string[]>("neighbours", []);
		const found = others.filter(({ id }) => vscode.extensions.getExtension(id));
		if (asking || !shown || marksOnly() || found.every(({ id }) => told.includes(id))) {
			return;
		}
		asking = true;
		await context.globalState.update("neighbours", [...new Set([...told, ...found.map(({ id }) => id)])]);
		const names = found.map(({ id }) => vscode.extensions.getExtension(id)?.packageJSON.displayName ?? id);
		const editor = vscode.workspace.getConfiguration("editor", { languageId: "dockerfile" });
		const format = "Format with Layerwise";
		const only = "Only Marks from Layerwise";
		const show = `Show ${names[0]}`;
		const ways = [only, show];
		if (found.some(({ formats }) => formats) && !editor.get("defaultFormatter")) {
			ways.push(format);
		}
		const twice = "so that findings, hovers and completions come twice";
		const message = `Layerwise: ${names.join(" and ")} serves Dockerfiles too, ${twice}.`;
		const choice = await vscode.window.showInformationMessage(message, ...ways);
		if (choice === only) {
			await vscode.workspace.getConfiguration("layerwise").update("marksOnly", true, true);
		} else if (choice === show) {
			await vscode.commands.executeCommand("workbench.extensions.search", `@id:${found[0].id}`);
		} else if (choice === format) {
			await editor.update("defaultFormatter", context.extension.id, vscode.ConfigurationTarget.Global, true);
		}
		asking = false;
	};
	context.subscriptions.push(
		vscode.window.onDidChangeActiveTextEditor(tell),
		vscode.extensions.onDidChange(tell),
	);
	void tell();
}
