import * as vscode from "vscode";
import { Front } from "./front";
import { CacheStatus } from "./protocol";
import { Statuses } from "./statuses";

/** Shows the counts and the baseline of the Dockerfile in front. */
export function showStatusBar(context: vscode.ExtensionContext, front: Front, statuses: Statuses): void {
	const item = vscode.window.createStatusBarItem("layerwise.status", vscode.StatusBarAlignment.Left, 1);
	item.name = "Layerwise";
	item.command = "layerwise.selectBaseline";

	const update = () => {
		const status = front.document && front.inView ? statuses.of(front.document) : undefined;
		if (!status) {
			item.hide();
			return;
		}
		const text = headline(status);
		item.text = `$(layers) ${text}`;
		item.accessibilityInformation = { label: `Layerwise: ${text}` };
		item.tooltip = details(status);
		item.show();
	};
	context.subscriptions.push(item, statuses.onDidChange(update), front.onDidChange(update));
}

function headline({ state, summary, baselineLabel }: CacheStatus): string {
	if (state === "pending") {
		return "Layerwise reads…";
	}
	const time = summary.seconds ? ` · about ${Math.ceil(summary.seconds)} s` : "";
	return `${summary.cached} of ${summary.cached + summary.rebuilt} cached${time} · ${baselineLabel}`;
}

/** How many first reasons are listed. */
const mostReasons = 5;

function details({ engine, target, baselineLabel, notes, steps }: CacheStatus): vscode.MarkdownString {
	const text = new vscode.MarkdownString("", true);
	text.isTrusted = { enabledCommands: ["layerwise.selectBaseline", "layerwise.showReordering", "layerwise.showOutput"] };
	const reasons = steps.filter((step) => step.status === "rebuilt" && step.cause && step.cause.kind !== "follows");
	if (reasons.length > 0) {
		text.appendMarkdown("**The next build runs again**\n\n");
		for (const step of reasons.slice(0, mostReasons)) {
			text.appendMarkdown(`- line ${step.line}: `).appendText(step.cause!.detail).appendMarkdown("\n");
		}
		text.appendMarkdown(reasons.length > mostReasons ? `- and ${reasons.length - mostReasons} more\n\n` : "\n");
	} else if (steps.length > 0) {
		text.appendMarkdown("**The next build reuses all steps**\n\n");
	}
	for (const row of [`Compared with ${baselineLabel}`, `Engine: ${engine}`, ...(target ? [`Target: ${target}`] : []), ...(notes ?? [])]) {
		text.appendMarkdown("- ").appendText(row).appendMarkdown("\n");
	}
	text.appendMarkdown(
		"\n[Compare with…](command:layerwise.selectBaseline) · [Show reordering…](command:layerwise.showReordering) · [Output](command:layerwise.showOutput)",
	);
	return text;
}
