import * as vscode from "vscode";
import { CacheStatus } from "./protocol";

/**
 * The newest cache status of each open document. All that is shown is made from it when it changes, so that no place
 * shows an older text than another.
 */
export class Statuses {
	private readonly byUri = new Map<string, CacheStatus>();
	private readonly changed = new vscode.EventEmitter<void>();
	readonly onDidChange = this.changed.event;

	receive(status: CacheStatus): void {
		// The server's spelling of a URI may differ from the editor's: file:///c: and file:///c%3A.
		const uri = vscode.Uri.parse(status.uri).toString();
		const document = vscode.workspace.textDocuments.find((open) => open.uri.toString() === uri);
		if (document && status.version !== null && status.version !== document.version) {
			return; // the answer for the newest text follows
		}
		if (status.version === null) {
			this.byUri.delete(uri);
		} else {
			this.byUri.set(uri, status);
		}
		this.changed.fire();
	}

	/** Moves what is known of a document along with its lines, and reports whether any moved. */
	move(document: vscode.TextDocument, changes: readonly vscode.TextDocumentContentChangeEvent[]): boolean {
		const uri = document.uri.toString();
		const status = this.byUri.get(uri);
		const moving = changes.filter(({ range, text }) => !range.isSingleLine || text.includes("\n"));
		if (!status || status.state === "pending" || moving.length === 0) {
			return false;
		}
		const to = (line: number) => changes.reduce(moved, line - 1) + 1;
		const both = <T extends { line: number; endLine: number }>(at: T) =>
			({ ...at, line: to(at.line), endLine: to(at.endLine) });
		this.byUri.set(uri, {
			...status,
			steps: status.steps.map(both),
			hints: status.hints?.map((hint) => ({ ...hint, line: to(hint.line) })),
			stages: status.stages?.map(both),
		});
		return true;
	}

	/** Forgets everything: the server is gone. */
	clear(): void {
		this.byUri.clear();
		this.changed.fire();
	}

	of(document: vscode.TextDocument): CacheStatus | undefined {
		return this.byUri.get(document.uri.toString());
	}
}

/** Where a line (0-based) is after a change; one that is deleted, where it was. */
function moved(line: number, { range, text }: vscode.TextDocumentContentChangeEvent): number {
	const { start, end } = range;
	if (line < start.line || (line === start.line && start.character > 0)) {
		return line;
	}
	if (line < end.line) {
		return start.line;
	}
	return line + text.split("\n").length - 1 - (end.line - start.line);
}
