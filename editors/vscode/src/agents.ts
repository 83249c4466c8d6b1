import * as vscode from "vscode";
import { findServer } from "./server";

/** What newer editors than the oldest that we support have, as far as it is used here. */
interface Definition {
	cwd?: vscode.Uri;
}
interface Newer {
	lm?: {
		registerMcpServerDefinitionProvider?(
			id: string,
			provider: { provideMcpServerDefinitions(): Definition[] },
		): vscode.Disposable;
	};
	McpStdioServerDefinition?: new (
		label: string,
		command: string,
		args: string[],
		env: Record<string, string>,
		version: string,
	) => Definition;
}

/** Offers the server to agents in the editor, where it knows such: the tools that read, one server for each folder. */
export function offerToAgents(context: vscode.ExtensionContext): void {
	const { lm, McpStdioServerDefinition: Server } = vscode as Newer;
	if (!lm?.registerMcpServerDefinitionProvider || !Server) {
		return;
	}
	const version: string = context.extension.packageJSON.version;
	const provideMcpServerDefinitions = () => {
		const program = findServer(context);
		const folders = vscode.workspace.workspaceFolders ?? [];
		if (!program || !vscode.workspace.isTrusted) {
			return [];
		}
		return folders
			.filter((folder) => folder.uri.scheme === "file")
			.map((folder) => {
				const label = folders.length > 1 ? `Layerwise (${folder.name})` : "Layerwise";
				const server = new Server(label, program, ["mcp"], {}, version);
				server.cwd = folder.uri;
				return server;
			});
	};
	try {
		const offer = lm.registerMcpServerDefinitionProvider("layerwise.mcp", { provideMcpServerDefinitions });
		context.subscriptions.push(offer);
	} catch {
		// 1.100 has this as a proposal, which it lets nobody use.
	}
}
