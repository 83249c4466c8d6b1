import * as vscode from "vscode";
import { CacheStatus, Step } from "./protocol";
import { kindOf } from "./marks";
import { Statuses } from "./statuses";

/** What a tree item stands for. */
type Node = { stage: string; steps: Step[] } | Step;

const isStep = (node: Node): node is Step => "instruction" in node;

/** Shows the stages of the Dockerfile in front, each with its steps and what the next build does with them. */
export function showStages(context: vscode.ExtensionContext, statuses: Statuses): void {
	const changed = new vscode.EventEmitter<void>();
	let document: vscode.TextDocument | undefined;

	const provider: vscode.TreeDataProvider<Node> = {
		onDidChangeTreeData: changed.event,
		getTreeItem: (node) => (isStep(node) ? stepItem(node, document!) : stageItem(node)),
		getChildren: (node) => {
			if (node) {
				return isStep(node) ? [] : node.steps;
			}
			return stagesOf(document && statuses.of(document));
		},
	};
	const view = vscode.window.createTreeView("layerwise.stages", { treeDataProvider: provider });

	const update = () => {
		const { activeTextEditor } = vscode.window;
		if (activeTextEditor && activeTextEditor.document.languageId === "dockerfile") {
			document = activeTextEditor.document;
		} else if (document?.isClosed) {
			document = undefined;
		}
		const status = document && statuses.of(document);
		if (status?.state === "pending") {
			return; // what is shown stays until there is something newer
		}
		view.description = status && `${vscode.workspace.asRelativePath(document!.uri)} · ${status.baselineLabel}`;
		view.message = document ? status?.notes?.join("\n") : undefined;
		changed.fire();
	};
	context.subscriptions.push(
		view,
		changed,
		statuses.onDidChange(update),
		vscode.window.onDidChangeActiveTextEditor(update),
		vscode.workspace.onDidCloseTextDocument(update),
	);
}

/** The steps by stage, in file order; what stands above the first FROM belongs to no stage. */
function stagesOf(status: CacheStatus | undefined): Node[] {
	const stages: { stage: string; steps: Step[] }[] = [];
	for (const step of status?.steps ?? []) {
		const last = stages.at(-1);
		if (last && last.stage === step.stage && step.instruction !== "FROM") {
			last.steps.push(step);
		} else {
			stages.push({ stage: step.stage, steps: [step] });
		}
	}
	return stages;
}

function stageItem({ stage, steps }: { stage: string; steps: Step[] }): vscode.TreeItem {
	const item = new vscode.TreeItem(stage ? stageName(stage) : "before the first stage", vscode.TreeItemCollapsibleState.Expanded);
	const cached = steps.filter((step) => step.status === "cached").length;
	const rebuilt = steps.filter((step) => step.status === "rebuilt");
	item.id = `${stage}:${steps[0].line}`;
	if (steps.every((step) => step.status === "skipped")) {
		item.description = "not part of this build";
	} else if (rebuilt.length > 0) {
		item.description = `${cached} of ${cached + rebuilt.length} cached · rebuilds from line ${rebuilt[0].line}`;
	} else if (cached > 0) {
		item.description = `all ${cached} cached`;
	}
	item.iconPath = new vscode.ThemeIcon("layers");
	return item;
}

/** The server names a stage without a name by its index. */
const stageName = (stage: string) => (/^\d+$/.test(stage) ? `stage ${stage}` : stage);

const icons: Record<string, vscode.ThemeIcon> = {
	cached: new vscode.ThemeIcon("check", new vscode.ThemeColor("testing.iconPassed")),
	rebuilt: new vscode.ThemeIcon("sync", new vscode.ThemeColor("charts.blue")),
	uncertain: new vscode.ThemeIcon("question", new vscode.ThemeColor("charts.blue")),
	config: new vscode.ThemeIcon("dash"),
	skipped: new vscode.ThemeIcon("circle-slash"),
	unknown: new vscode.ThemeIcon("question"),
};

function stepItem(step: Step, document: vscode.TextDocument): vscode.TreeItem {
	const item = new vscode.TreeItem(step.text);
	item.id = `step:${step.line}`;
	item.iconPath = icons[kindOf(step) ?? step.status];
	const facts = [
		step.cause && (step.cause.kind === "follows" ? `follows line ${step.cause.line}` : step.cause.detail),
		step.seconds !== undefined && seconds(step.seconds),
		step.bytes !== undefined && size(step.bytes),
	].filter(Boolean);
	item.description = facts.join(" · ");
	item.tooltip = [step.text, `${step.status}${step.certain ? "" : ", perhaps"}`, step.cause?.detail, step.detail].filter(Boolean).join("\n");
	const line = new vscode.Range(step.line - 1, 0, step.line - 1, 0);
	item.command = { title: "Show", command: "vscode.open", arguments: [document.uri, { selection: line } satisfies vscode.TextDocumentShowOptions] };
	return item;
}

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
