import * as vscode from "vscode";
import { InlayHintsMiddleware } from "vscode-languageclient/node";
import { Step } from "./protocol";
import { Statuses } from "./statuses";

const kinds = ["cached", "rebuilt", "uncertain", "fails"] as const;
type Kind = (typeof kinds)[number];

/** The mark of a step; undefined for what makes no layer or is not built. */
export function kindOf(step: Step): Kind | undefined {
	switch (step.status) {
		case "cached":
			return "cached";
		case "rebuilt":
			return step.certain ? "rebuilt" : "uncertain";
		case "fails":
			return "fails";
		default:
			return undefined;
	}
}

/** The picture of a mark for a theme. */
export const icon = (context: vscode.ExtensionContext, kind: Kind, theme: "light" | "dark") =>
	vscode.Uri.joinPath(context.extensionUri, "icons", `${kind}-${theme}.svg`);

const gutterMarks = () => vscode.workspace.getConfiguration("layerwise").get("gutterMarks", true);

/** Leaves out the hints of cached steps where the gutter has a tick for them: it says all that there is. */
export function withoutTicks(statuses: Statuses): InlayHintsMiddleware {
	return {
		provideInlayHints: async (document, range, token, next) => {
			const hints = await next(document, range, token);
			if (!gutterMarks()) {
				return hints;
			}
			const steps = statuses.of(document)?.steps ?? [];
			const ticked = new Set(steps.filter((step) => kindOf(step) === "cached").map((step) => step.endLine - 1));
			return hints?.filter((hint) => !ticked.has(hint.position.line));
		},
	};
}

/**
 * Paints the marks in the gutter. Between an edit and the server's answer the editor moves the old marks along with
 * their lines, so nothing flickers while typing.
 */
export function paintMarks(context: vscode.ExtensionContext, statuses: Statuses): void {
	const decorations = new Map(
		kinds.map((kind) => [
			kind,
			vscode.window.createTextEditorDecorationType({
				gutterIconSize: "contain",
				light: { gutterIconPath: icon(context, kind, "light") },
				dark: { gutterIconPath: icon(context, kind, "dark") },
				...(kind !== "cached" && {
					overviewRulerColor: new vscode.ThemeColor("layerwise.rebuilt"),
					overviewRulerLane: vscode.OverviewRulerLane.Left,
				}),
			}),
		]),
	);

	const paint = () => {
		const enabled = gutterMarks();
		for (const editor of vscode.window.visibleTextEditors) {
			if (editor.document.languageId !== "dockerfile") {
				continue;
			}
			const status = statuses.of(editor.document);
			if (enabled && status && (status.state === "pending" || status.version !== editor.document.version)) {
				continue; // the answer for this version follows
			}
			for (const [kind, decoration] of decorations) {
				const steps = enabled ? (status?.steps ?? []).filter((step) => kindOf(step) === kind) : [];
				editor.setDecorations(
					decoration,
					steps.map((step) => new vscode.Range(step.line - 1, 0, step.line - 1, 0)),
				);
			}
		}
	};

	context.subscriptions.push(
		...decorations.values(),
		statuses.onDidChange(paint),
		vscode.window.onDidChangeVisibleTextEditors(paint),
		vscode.workspace.onDidChangeConfiguration((e) => e.affectsConfiguration("layerwise.gutterMarks") && paint()),
	);
}
