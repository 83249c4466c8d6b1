import * as fs from "fs";
import * as os from "os";
import * as path from "path";
import * as vscode from "vscode";

const program = process.platform === "win32" ? "layerwise.exe" : "layerwise";

/**
 * The path of the server: the one that the settings name, else the one that the extension carries, else the one on
 * PATH.
 */
export function findServer(context: vscode.ExtensionContext): string | undefined {
	const named = vscode.workspace.getConfiguration("layerwise").get("server.path", "").trim();
	if (named) {
		return path.resolve(named.replace(/^~(?=$|[\\/])/, os.homedir()));
	}
	const carried = path.join(context.extensionPath, "server", program);
	const onPath = (process.env.PATH ?? "").split(path.delimiter).filter(path.isAbsolute).map((dir) =>
		path.join(dir, program));
	return [carried, ...onPath].find(isProgram);
}

export function isProgram(file: string): boolean {
	try {
		fs.accessSync(file, fs.constants.X_OK);
		return fs.statSync(file).isFile();
	} catch {
		return false;
	}
}
