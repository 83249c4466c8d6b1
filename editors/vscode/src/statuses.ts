import * as vscode from "vscode";
import { CacheStatus } from "./protocol";

/** The newest cache status of each open document. */
export class Statuses {
	private readonly byUri = new Map<string, CacheStatus>();
	private readonly changed = new vscode.EventEmitter<void>();
	readonly onDidChange = this.changed.event;

	receive(status: CacheStatus): void {
		// The server's spelling of a URI may differ from the editor's: file:///c: and file:///c%3A.
		const uri = vscode.Uri.parse(status.uri).toString();
		if (status.version === null) {
			this.byUri.delete(uri);
		} else {
			this.byUri.set(uri, status);
		}
		this.changed.fire();
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
