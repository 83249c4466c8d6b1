import * as vscode from "vscode";
import { ExecuteCommandMiddleware, LanguageClient, RequestType } from "vscode-languageclient/node";
import { Front } from "./front";

/** What a document can be compared with, or what build of it can be meant. */
interface Choices {
	/** The spec or id that is in force. */
	current: string;
	items: { spec?: string; id?: string; label: string; detail?: string }[];
}

interface Question {
	textDocument: { uri: string };
}

const baselines = new RequestType<Question, Choices, void>("layerwise/baselines");
const builds = new RequestType<Question, Choices, void>("layerwise/builds");

/** A free choice that the server cannot list. */
interface Typed {
	label: string;
	prefix: string;
	placeHolder: string;
}

const typedBaselines = [
	{ label: "Another git revision…", prefix: "git:", placeHolder: "main" },
	{ label: "Another folder…", prefix: "dir:", placeHolder: "../last-build" },
];

const typedBuilds = [{ label: "Another build context…", prefix: "context:", placeHolder: "../.." }];

/**
 * Completes the server's commands, which take [uri, choice]: from the palette or the status bar they come without a
 * URI, and what is not chosen yet is picked from a list.
 */
export function withChoices(client: () => LanguageClient | undefined, front: Front): ExecuteCommandMiddleware {
	return {
		executeCommand: async (command, args, next) => {
			const own = client();
			if (!own || !command.startsWith("layerwise.")) {
				return next(command, args);
			}
			// A view's title hands over what is chosen in it, which is no URI.
			const shown = front.document && own.code2ProtocolConverter.asUri(front.document.uri);
			const uri = typeof args[0] === "string" ? args[0] : shown;
			if (!uri) {
				void vscode.window.showInformationMessage("Layerwise: open a Dockerfile first.");
				return undefined;
			}
			if (command === "layerwise.verifyOrder") {
				// What was said of an order before may be wrong of this one; the list of notifications keeps it.
				await vscode.commands.executeCommand("notifications.hideToasts");
			}
			if (typeof args[1] === "string") {
				return next(command, args);
			}
			let choice: string | undefined;
			switch (command) {
				case "layerwise.selectBaseline":
					choice = await pick(
						await own.sendRequest(baselines, { textDocument: { uri } }),
						"Compare the next build with…",
						typedBaselines,
					);
					return choice === undefined ? undefined : next(command, [uri, choice]);
				case "layerwise.selectBuild":
					choice = await pick(
						await own.sendRequest(builds, { textDocument: { uri } }),
						"Which build of this Dockerfile is meant?",
						typedBuilds,
					);
					return choice === undefined ? undefined : next(command, [uri, choice]);
			}
			return next(command, [uri]);
		},
	};
}

const items = ({ current, items }: Choices) =>
	items.map((item) => {
		const value = item.spec ?? item.id ?? "";
		return { label: value === current ? `$(check) ${item.label}` : item.label, detail: item.detail, value };
	});

async function pick(choices: Choices, placeHolder: string, typed: Typed[]): Promise<string | undefined> {
	type Item = vscode.QuickPickItem & Partial<Typed> & { value?: string };
	const picked = await vscode.window.showQuickPick<Item>(
		[...items(choices), ...typed],
		{ placeHolder, matchOnDetail: true },
	);
	if (!picked?.prefix) {
		return picked?.value;
	}
	const rest = await vscode.window.showInputBox({ prompt: picked.label, placeHolder: picked.placeHolder });
	return rest && picked.prefix + rest;
}
