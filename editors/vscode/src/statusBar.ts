import * as vscode from "vscode";
import { Front } from "./front";
import { CacheStatus } from "./protocol";
import { Statuses } from "./statuses";

/** Shows the counts and the baseline of the Dockerfile in front. */
export function showStatusBar(context: vscode.ExtensionContext, front: Front, statuses: Statuses): void {
	const item = vscode.window.createStatusBarItem("layerwise.status", vscode.StatusBarAlignment.Right, 99);
	item.name = "Layerwise";
	item.command = "layerwise.selectBaseline";

	const update = () => {
		const status = front.document && front.inView ? statuses.of(front.document) : undefined;
		if (!status) {
			item.hide();
			return;
		}
		item.text = `$(layers) ${headline(status)}`;
		item.accessibilityInformation = { label: `Layerwise: ${headline(status)}, compared with ${status.baselineLabel}` };
		item.tooltip = details(status);
		item.show();
	};
	context.subscriptions.push(item, statuses.onDidChange(update), front.onDidChange(update));
}

/** In few words: how much is cached, and whether the builder is known to have what that is compared with. */
function headline({ state, steps, summary, baseline }: CacheStatus): string {
	if (state === "pending") {
		return "Layerwise reads…";
	}
	const failing = steps.find((step) => step.status === "fails");
	const counts = failing ? `fails at line ${failing.line}` : `${summary.cached}/${summary.cached + summary.rebuilt} cached`;
	const known = failing ? "" : baseline.assumed ? " · assumed" : " · known";
	return `${counts}${known}${vscode.workspace.isTrusted ? "" : " (Restricted Mode)"}`;
}

/** How many first reasons are listed. */
const mostReasons = 5;

function details(status: CacheStatus): vscode.MarkdownString {
	const { engine, target, baseline, baselineLabel, notes, steps, summary } = status;
	const text = new vscode.MarkdownString("", true);
	text.isTrusted = {
		enabledCommands: [
			"layerwise.selectBaseline",
			"layerwise.showReordering",
			"layerwise.showOutput",
			"workbench.trust.manage",
		],
	};
	const failing = steps.filter((step) => step.status === "fails");
	for (const step of failing.slice(0, 1)) {
		text.appendMarkdown(`**The next build fails at line ${step.line}**\n\n`).appendText(step.cause?.detail ?? "").appendMarkdown("\n\n");
	}
	const reasons = steps.filter((step) => step.status === "rebuilt" && step.cause && step.cause.kind !== "follows");
	if (reasons.length > 0) {
		text.appendMarkdown("**The next build runs**\n\n");
		for (const step of reasons.slice(0, mostReasons)) {
			text.appendMarkdown(`- line ${step.line}: `).appendText(step.cause!.detail).appendMarkdown("\n");
		}
		text.appendMarkdown(reasons.length > mostReasons ? `- and ${reasons.length - mostReasons} more\n\n` : "\n");
	} else if (steps.length > 0 && failing.length === 0) {
		text.appendMarkdown("**The next build reuses all steps**\n\n");
	}
	const time = summary.seconds ? [`About ${Math.ceil(summary.seconds)} s`] : [];
	const known = baseline.assumed ? [`Assuming that ${baseline.assumed}`] : [];
	const stage = target ? [`Target: ${target}`] : [];
	const rows = [`Compared with ${baselineLabel}`, ...known, ...time, `Engine: ${engine}`, ...stage, ...(notes ?? [])];
	for (const row of rows) {
		text.appendMarkdown("- ").appendText(row).appendMarkdown("\n");
	}
	if (!vscode.workspace.isTrusted) {
		text.appendMarkdown("- [Manage trust](command:workbench.trust.manage)\n"); // the notes say why
	}
	text.appendMarkdown(
		"\n[Compare with…](command:layerwise.selectBaseline) · [Show reordering…](command:layerwise.showReordering) · [Output](command:layerwise.showOutput)",
	);
	return text;
}
