import * as vscode from "vscode";
import { CodeAction, CodeActionRequest, CodeActionResolveRequest, LanguageClient } from "vscode-languageclient/node";

const scheme = "layerwise-reordered";

/** The texts that the right side of the diff shows, by their URI. */
export class Reordered implements vscode.TextDocumentContentProvider {
	private readonly texts = new Map<string, string>();

	constructor(context: vscode.ExtensionContext) {
		context.subscriptions.push(
			vscode.workspace.registerTextDocumentContentProvider(scheme, this),
			vscode.workspace.onDidCloseTextDocument((document) => this.texts.delete(document.uri.toString())),
		);
	}

	provideTextDocumentContent(uri: vscode.Uri): string | undefined {
		return this.texts.get(uri.toString());
	}

	/** A document that does not exist: the text of another one as it would be. */
	add(document: vscode.TextDocument, text: string): vscode.Uri {
		const uri = document.uri.with({ scheme, query: String(document.version) });
		this.texts.set(uri.toString(), text);
		return uri;
	}
}

/** Shows what the server's reordering of a Dockerfile would change, and makes the change when asked to. */
export async function showReordering(
	client: LanguageClient,
	document: vscode.TextDocument,
	reordered: Reordered,
): Promise<void> {
	const action = await pickRewrite(client, document);
	if (!action) {
		return;
	}
	if (action.command) {
		// To verify it: the server applies it then, or says what differs.
		await vscode.commands.executeCommand(action.command.command, ...(action.command.arguments ?? []));
		return;
	}
	const edit = action.edit && (await client.protocol2CodeConverter.asWorkspaceEdit(action.edit));
	const edits = edit?.get(document.uri) ?? [];
	if (!edit || edits.length === 0) {
		return;
	}
	const version = document.version;
	const right = reordered.add(document, apply(document, edits));
	await vscode.commands.executeCommand("vscode.diff", document.uri, right, action.title, { preview: true });
	if ((await vscode.window.showInformationMessage(`Layerwise: ${action.title}?`, "Apply")) !== "Apply") {
		return;
	}
	if (document.version !== version) {
		vscode.window.showInformationMessage("Layerwise: the file was edited meanwhile. Show the reordering again.");
		return;
	}
	const isDiff = (tab: vscode.Tab) =>
		tab.input instanceof vscode.TabInputTextDiff && tab.input.modified.toString() === right.toString();
	await vscode.window.tabGroups.close(vscode.window.tabGroups.all.flatMap((group) => group.tabs).filter(isDiff));
	await vscode.window.showTextDocument(document);
	// Without its annotations, for which VS Code would ask once more.
	const made = new vscode.WorkspaceEdit();
	made.set(document.uri, edits);
	await vscode.workspace.applyEdit(made);
}

/** The rewrite that the server offers for the whole document, or the one that is picked of several. */
async function pickRewrite(client: LanguageClient, document: vscode.TextDocument): Promise<CodeAction | undefined> {
	const end = document.lineAt(document.lineCount - 1).range.end;
	const answer = await client.sendRequest(CodeActionRequest.type, {
		textDocument: { uri: client.code2ProtocolConverter.asUri(document.uri) },
		range: { start: { line: 0, character: 0 }, end: { line: end.line, character: end.character } },
		context: { diagnostics: [], only: ["refactor.rewrite"] },
	});
	const offered = (answer ?? []).filter((action): action is CodeAction => CodeAction.is(action));
	const actions = offered.filter((action) => !action.disabled);
	if (actions.length === 0) {
		const reason = offered[0]?.disabled?.reason ?? "no order is known to keep the image and to rebuild less";
		vscode.window.showInformationMessage(`Layerwise, of ${name(document)}: ${reason}`);
		return undefined;
	}
	let action: CodeAction | undefined = actions[0];
	if (actions.length > 1) {
		const picked = await vscode.window.showQuickPick(
			actions.map((action) => ({ label: action.title, action })),
			{ placeHolder: `Rewrites of ${name(document)}` },
		);
		action = picked?.action;
	}
	return action && !action.edit && !action.command ? client.sendRequest(CodeActionResolveRequest.type, action) : action;
}

function apply(document: vscode.TextDocument, edits: vscode.TextEdit[]): string {
	let text = document.getText();
	const fromTheEnd = [...edits].sort((a, b) => b.range.start.compareTo(a.range.start));
	for (const { range, newText } of fromTheEnd) {
		text = text.slice(0, document.offsetAt(range.start)) + newText + text.slice(document.offsetAt(range.end));
	}
	return text;
}

function name(document: vscode.TextDocument): string {
	return vscode.workspace.asRelativePath(document.uri);
}
