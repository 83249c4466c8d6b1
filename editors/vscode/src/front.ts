import * as vscode from "vscode";

/**
 * The Dockerfile that the status bar, the tree of stages and the commands are about: the one in the active editor, else one
 * in view beside it, else the last one as long as it is open.
 */
export class Front {
	document: vscode.TextDocument | undefined;
	private readonly changed = new vscode.EventEmitter<void>();
	readonly onDidChange = this.changed.event;

	constructor(context: vscode.ExtensionContext) {
		const update = () => {
			const { activeTextEditor, visibleTextEditors } = vscode.window;
			const next =
				[activeTextEditor, ...visibleTextEditors].map((editor) => editor?.document).find((document) =>
					document && isDockerfile(document)) ??
				(this.document?.isClosed ? undefined : this.document);
			if (next !== this.document) {
				this.document = next;
				void vscode.commands.executeCommand("setContext", "layerwise.document", next !== undefined);
			}
			this.changed.fire();
		};
		context.subscriptions.push(
			this.changed,
			vscode.window.onDidChangeActiveTextEditor(update),
			vscode.window.onDidChangeVisibleTextEditors(update),
			vscode.workspace.onDidOpenTextDocument(update), // also when a document's language is changed
			vscode.workspace.onDidCloseTextDocument(update),
		);
		update();
	}

	/** Whether an editor shows it. */
	get inView(): boolean {
		return vscode.window.visibleTextEditors.some((editor) => editor.document === this.document);
	}
}

/** Dockerfiles on the disk, or not saved yet: not the old side of a diff. */
const isDockerfile = ({ languageId, uri }: vscode.TextDocument) =>
	languageId === "dockerfile" && (uri.scheme === "file" || uri.scheme === "untitled");
