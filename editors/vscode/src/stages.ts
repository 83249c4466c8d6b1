import * as vscode from "vscode";
import { Front } from "./front";
import { icon, kindOf } from "./marks";
import { CacheStatus, Step } from "./protocol";
import { Statuses } from "./statuses";

/** A stage, with what the server says of it as a whole. */
type Stage = { stage: string; steps: Step[]; summary?: string };

/** What a tree item stands for. */
type Node = Stage | Step;

const isStep = (node: Node): node is Step => "instruction" in node;

/** Shows the stages of the Dockerfile in front, each with its steps and what the next build does with them. */
export function showStages(context: vscode.ExtensionContext, front: Front, statuses: Statuses): void {
	const changed = new vscode.EventEmitter<void>();
	const provider: vscode.TreeDataProvider<Node> = {
		onDidChangeTreeData: changed.event,
		getTreeItem: (node) => (isStep(node) ? stepItem(node, front.document!, context) : stageItem(node)),
		getChildren: (node) => {
			if (node) {
				return isStep(node) ? [] : node.steps;
			}
			return stagesOf(front.document && statuses.of(front.document));
		},
	};
	const view = vscode.window.createTreeView("layerwise.stages", { treeDataProvider: provider });

	const update = () => {
		const status = front.document && statuses.of(front.document);
		if (status?.state === "pending") {
			return; // what is shown stays until there is something newer
		}
		// First: VS Code draws what is changed first in a view at once, and all else 0.2 seconds after the last change.
		// Setting the message is such a change, even to the same text.
		changed.fire();
		view.description = status && `${vscode.workspace.asRelativePath(front.document!.uri)} · ${status.baselineLabel}`;
		const message = status?.notes?.join("\n");
		if (view.message !== message) {
			view.message = message;
		}
	};
	context.subscriptions.push(view, changed, statuses.onDidChange(update), front.onDidChange(update));
}

/** The steps by stage, in file order; what stands above the first FROM belongs to no stage. */
function stagesOf(status: CacheStatus | undefined): Stage[] {
	const stages: Stage[] = [];
	const summaries = new Map(status?.stages?.map(({ line, text }) => [line, text]));
	for (const step of status?.steps ?? []) {
		if (step.instruction === "ARG" && step.status === "config") {
			continue; // says nothing
		}
		const last = stages.at(-1);
		if (last && last.stage === step.stage && step.instruction !== "FROM") {
			last.steps.push(step);
		} else {
			stages.push({ stage: step.stage, steps: [step], summary: summaries.get(step.line) });
		}
	}
	return stages;
}

function stageItem({ stage, steps, summary }: Stage): vscode.TreeItem {
	const name = stage ? stageName(stage) : "before the first stage";
	const item = new vscode.TreeItem(name, vscode.TreeItemCollapsibleState.Expanded);
	item.id = `${stage}:${steps[0].line}`;
	item.description = summary;
	item.iconPath = new vscode.ThemeIcon("layers");
	return item;
}

/** The server names a stage without a name by its index. */
const stageName = (stage: string) => (/^\d+$/.test(stage) ? `stage ${stage}` : stage);

/** The icons of what has no mark in the gutter. */
const unmarked: Record<string, vscode.ThemeIcon> = {
	config: new vscode.ThemeIcon("dash"),
	skipped: new vscode.ThemeIcon("circle-slash"),
	unknown: new vscode.ThemeIcon("question"),
};

function stepItem(step: Step, document: vscode.TextDocument, context: vscode.ExtensionContext): vscode.TreeItem {
	const item = new vscode.TreeItem(step.text);
	item.id = `step:${step.line}`;
	const kind = kindOf(step);
	item.iconPath = kind
		? { light: icon(context, kind, "light"), dark: icon(context, kind, "dark") }
		: unmarked[step.status];
	const facts = [
		step.cause?.detail,
		step.seconds !== undefined && seconds(step.seconds),
		step.bytes !== undefined && size(step.bytes),
	].filter(Boolean);
	item.description = facts.join(" · ");
	item.accessibilityInformation = { label: [`line ${step.line}, ${step.text}`, verdict(step), ...facts].join(", ") };
	item.tooltip = new vscode.MarkdownString()
		.appendCodeblock(step.text, "dockerfile")
		.appendMarkdown(`**${verdict(step)}**`)
		.appendText([step.cause && `: ${step.cause.detail}`, step.detail && `\n\n${step.detail}`].filter(Boolean).join(""));
	const line = new vscode.Range(step.line - 1, 0, step.line - 1, 0);
	const shown = { selection: line } satisfies vscode.TextDocumentShowOptions;
	item.command = { title: "Show", command: "vscode.open", arguments: [document.uri, shown] };
	return item;
}

/** A step's status in words: what the icon says. */
const verdict = ({ status, certain }: Step) => (status === "rebuilt" && !certain ? "maybe rebuilt" : status);

const seconds = (n: number) => (n < 1 ? `${Math.round(n * 1000)} ms` : `${n < 10 ? n.toFixed(1) : Math.round(n)} s`);

function size(bytes: number): string {
	const units = ["B", "kB", "MB", "GB", "TB"];
	let unit = 0;
	while (bytes >= 1000 && unit < units.length - 1) {
		bytes /= 1000;
		unit++;
	}
	return `${bytes < 10 && unit > 0 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}
