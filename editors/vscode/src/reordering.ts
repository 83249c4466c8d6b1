import * as vscode from "vscode";
import {
	CodeAction,
	CodeActionRequest,
	CodeActionResolveRequest,
	Command,
	LanguageClient,
} from "vscode-languageclient/node";

const scheme = "layerwise-reordered";

/** A reordering that is shown as a diff. */
interface Shown {
	document: vscode.TextDocument;
	version: number;
	edits: vscode.TextEdit[];
	/** How sure it is and what it gains, and all that is known of it; the server says so where it knows an order. */
	facts?: { label: string; description?: string };
	/** Builds both files and applies it if the images are the same; undefined if there is no need or no builder. */
	verify?: Command;
}

/** The reorderings that are shown, by the URI of the right side, and what the toolbar of the diff does with one. */
export class Reorderings implements vscode.TextDocumentContentProvider {
	private readonly shown = new Map<string, Shown>();
	private readonly facts = vscode.window.createTextEditorDecorationType({ isWholeLine: true });

	constructor(context: vscode.ExtensionContext) {
		const command = (name: string, run: (shown: Shown) => Thenable<unknown> | undefined) =>
			vscode.commands.registerCommand(name, async (uri: vscode.Uri) => {
				const shown = await this.close(uri);
				return shown && run(shown);
			});
		context.subscriptions.push(
			this.facts,
			vscode.window.onDidChangeVisibleTextEditors((editors) => editors.forEach((editor) => this.paint(editor))),
			vscode.workspace.registerTextDocumentContentProvider(scheme, this),
			vscode.workspace.onDidCloseTextDocument(({ uri }) => this.shown.delete(uri.toString())),
			command("layerwise.applyReordering", apply),
			command("layerwise.verifyReordering", ({ verify }) =>
				verify && vscode.commands.executeCommand(verify.command, ...(verify.arguments ?? []))),
			command("layerwise.discardReordering", () => undefined),
		);
	}

	provideTextDocumentContent(uri: vscode.Uri): string | undefined {
		const shown = this.shown.get(uri.toString());
		return shown && after(shown);
	}

	/** Shows a reordering, with what it rests on. */
	async show(title: string, shown: Shown): Promise<void> {
		const { uri, version } = shown.document;
		const right = uri.with({ scheme, query: `${version} ${title}` });
		this.shown.set(right.toString(), shown);
		const verified = [...this.shown].filter(([, { verify }]) => verify).map(([uri]) => uri);
		await vscode.commands.executeCommand("setContext", "layerwise.verified", verified);
		await vscode.commands.executeCommand("vscode.diff", uri, right, title, { preview: true });
	}

	/**
	 * Says in the diff itself how sure a reordering is and what it gains, all in the hover: in a narrow window a
	 * message is not shown. It stands at the shortest of the lines that are new together, where there is most room.
	 */
	private paint(editor: vscode.TextEditor): void {
		const { document } = editor;
		const shown = this.shown.get(document.uri.toString());
		if (!shown?.facts) {
			return;
		}
		const { label, description } = shown.facts;
		// appendText would break lines within words.
		const escaped = (text: string) => text.replace(/[\\`*_{}[\]()#+!<>~|&]/g, "\\$&").replace(/\n/g, "\n\n");
		const why = new vscode.MarkdownString(`**${escaped(label)}**\n\n${escaped(description ?? "")}`);
		const before = shown.document.getText().split(/\r?\n/);
		const lines = document.getText().split(/\r?\n/);
		const first = Math.max(0, lines.findIndex((line, i) => line !== before[i]));
		const same = lines.slice(first).findIndex((line) => line === before[first]);
		const added = lines.slice(first, first + Math.max(1, same)).map((line, i) => ({ line, at: first + i }));
		const byLength = added.filter(({ line }) => line.trim()).sort((a, b) => a.line.length - b.line.length);
		const { at } = byLength[0] ?? added[0];
		const after = {
			contentText: `${label} · Why?`,
			margin: "0 0 0 2ch",
			color: new vscode.ThemeColor("layerwise.assumed"),
		};
		const { range } = document.lineAt(at);
		editor.setDecorations(this.facts, [{ range, hoverMessage: why, renderOptions: { after } }]);
	}

	/** Returns to the file, and closes the diff. */
	private async close(right: vscode.Uri): Promise<Shown | undefined> {
		const shown = this.shown.get(right.toString());
		const isDiff = ({ input }: vscode.Tab) =>
			input instanceof vscode.TabInputTextDiff && input.modified.toString() === right.toString();
		if (shown) {
			await vscode.window.showTextDocument(shown.document);
		}
		await vscode.window.tabGroups.close(vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs).filter(isDiff));
		return shown;
	}
}

/** Lets the user choose a reordering of a Dockerfile, and shows it. */
export async function showReordering(
	client: LanguageClient,
	document: vscode.TextDocument,
	reorderings: Reorderings,
): Promise<void> {
	const { version } = document;
	const { action, verify } = (await pickRewrite(client, document)) ?? {};
	if (action?.command) {
		await vscode.commands.executeCommand(action.command.command, ...(action.command.arguments ?? []));
	} else if (action?.edit) {
		const edit = await client.protocol2CodeConverter.asWorkspaceEdit(action.edit);
		const [facts] = Object.values(action.edit.changeAnnotations ?? {});
		await reorderings.show(action.title, { document, version, edits: edit.get(document.uri), facts, verify });
	}
}

/** Makes the change, without its annotations, for which VS Code would ask once more. */
function apply({ document, version, edits }: Shown): Thenable<unknown> {
	if (document.version !== version) {
		return vscode.window.showInformationMessage(
			"Layerwise: the file was edited meanwhile. Show the reordering again.",
		);
	}
	const made = new vscode.WorkspaceEdit();
	made.set(document.uri, edits);
	return vscode.workspace.applyEdit(made);
}

/**
 * The rewrite that the server offers for the whole document, or the one that is picked of several; and what verifies
 * it, which stands behind it in the list.
 */
async function pickRewrite(
	client: LanguageClient,
	document: vscode.TextDocument,
): Promise<{ action: CodeAction; verify?: Command } | undefined> {
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
	if (!action) {
		return undefined;
	}
	const verify = actions[actions.indexOf(action) + 1]?.command;
	const resolved = action.edit || action.command;
	return { action: resolved ? action : await client.sendRequest(CodeActionResolveRequest.type, action), verify };
}

/** The text as it would be. */
function after({ document, edits }: Shown): string {
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
