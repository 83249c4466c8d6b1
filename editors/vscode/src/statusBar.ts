import * as vscode from "vscode";
import { CacheStatus } from "./protocol";
import { Statuses } from "./statuses";

/** Shows the counts and the baseline of the Dockerfile in front, or of one that is in view beside the active file. */
export function showStatusBar(context: vscode.ExtensionContext, statuses: Statuses): void {
	const item = vscode.window.createStatusBarItem("layerwise.status", vscode.StatusBarAlignment.Left, 1);
	item.name = "Layerwise";
	item.command = "layerwise.selectBaseline";

	const update = () => {
		const { activeTextEditor, visibleTextEditors } = vscode.window;
		const status = [activeTextEditor, ...visibleTextEditors]
			.map((editor) => editor && statuses.of(editor.document))
			.find((found) => found);
		if (!status) {
			item.hide();
			return;
		}
		item.text = `$(layers) Layerwise: ${headline(status)}`;
		item.tooltip = details(status);
		item.show();
	};

	context.subscriptions.push(
		item,
		statuses.onDidChange(update),
		vscode.window.onDidChangeActiveTextEditor(update),
		vscode.window.onDidChangeVisibleTextEditors(update),
	);
}

function headline({ state, summary, baselineLabel }: CacheStatus): string {
	if (state === "pending") {
		return "reading…";
	}
	const time = summary.seconds ? ` · about ${Math.ceil(summary.seconds)} s` : "";
	return `${summary.cached} of ${summary.cached + summary.rebuilt} cached${time} · ${baselineLabel}`;
}

function details({ engine, target, baselineLabel, notes }: CacheStatus): vscode.MarkdownString {
	const text = new vscode.MarkdownString("What the next build will reuse\n\n");
	const rows = [`Compared with: ${baselineLabel}`, `Engine: ${engine}`, ...(target ? [`Target: ${target}`] : [])];
	for (const row of [...rows, ...(notes ?? [])]) {
		text.appendMarkdown("- ").appendText(row).appendMarkdown("\n");
	}
	return text;
}
