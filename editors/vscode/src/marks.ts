import * as vscode from "vscode";
import { InlayHintsMiddleware } from "vscode-languageclient/node";
import { CacheStatus, Step } from "./protocol";
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

const stageSummaries = () => vscode.workspace.getConfiguration("layerwise").get("codeLens", true);

/**
 * Whether the texts at the line ends are painted with the marks, in one step with them: VS Code asks for inlay hints
 * only 0.7 seconds after the last key. A user who shows and hides inlay hints by a key, and a screen reader, which
 * reads inlay hints but no painted text, have the inlay hints.
 */
function painted(document: vscode.TextDocument): boolean {
	const editor = vscode.workspace.getConfiguration("editor", document);
	return editor.get("inlayHints.enabled") === "on" && editor.get("accessibilitySupport") !== "on";
}

/** Leaves out the inlay hints that are painted. */
export function withoutPainted(): InlayHintsMiddleware {
	return {
		provideInlayHints: (document, range, token, next) => (painted(document) ? [] : next(document, range, token)),
	};
}

/**
 * The texts at the line ends: the hints, but no ticks where the gutter has them, and behind a FROM its stage's summary.
 */
function lineEnds({ steps, hints, stages }: CacheStatus): Map<number, { kind?: Kind; text: string }[]> {
	const kinds = new Map(steps.map((step) => [step.endLine, kindOf(step)]));
	const ends = new Map<number, { kind?: Kind; text: string }[]>();
	const add = (line: number, color: Kind | undefined, text: string) =>
		ends.set(line, [...(ends.get(line) ?? []), { kind: color, text }]);
	for (const { line, text } of hints ?? []) {
		const kind = kinds.get(line);
		if (kind !== "cached" || !gutterMarks()) {
			add(line, kind, text);
		}
	}
	for (const { endLine, text } of stageSummaries() ? stages ?? [] : []) {
		add(endLine, undefined, text);
	}
	return ends;
}

const colors = { cached: "cached", rebuilt: "rebuilt", uncertain: "perhaps", fails: "rebuilt" };

const textColor = (kind: Kind | undefined, { baseline }: CacheStatus) =>
	new vscode.ThemeColor(`layerwise.${kind ? colors[kind] : baseline.assumed ? "assumed" : "cached"}`);

/**
 * Paints the marks in the gutter and the texts at the line ends. Between an edit and the server's answer they move
 * along with their lines: a mark holds on to the first word of its line, a text to the whole of its line. What was
 * painted when the editor had a newer text already may stand at a wrong line; so lines that moved are painted at once.
 */
export function paintMarks(context: vscode.ExtensionContext, statuses: Statuses): void {
	const rangeBehavior = vscode.DecorationRangeBehavior.ClosedClosed;
	const marks = new Map(
		kinds.map((kind) => [
			kind,
			vscode.window.createTextEditorDecorationType({
				rangeBehavior,
				gutterIconSize: "contain",
				light: { gutterIconPath: icon(context, kind, "light") },
				dark: { gutterIconPath: icon(context, kind, "dark") },
				...(kind !== "cached" && {
					overviewRulerColor: new vscode.ThemeColor("layerwise.rulerRebuilt"),
					overviewRulerLane: vscode.OverviewRulerLane.Left,
				}),
			}),
		]),
	);
	const texts = vscode.window.createTextEditorDecorationType({ rangeBehavior, isWholeLine: true });

	// What is sent although it is the same as before may come to stand at the wrong line: see above.
	const sent = new WeakMap<vscode.TextEditor, Map<vscode.TextEditorDecorationType, string>>();
	const decorate = (
		editor: vscode.TextEditor,
		type: vscode.TextEditorDecorationType,
		decorations: vscode.DecorationOptions[],
	) => {
		const before = sent.get(editor) ?? new Map<vscode.TextEditorDecorationType, string>();
		const now = JSON.stringify(decorations);
		if ((before.get(type) ?? "[]") !== now) {
			sent.set(editor, before.set(type, now));
			editor.setDecorations(type, decorations);
		}
	};

	const paint = () => {
		const enabled = gutterMarks();
		for (const editor of vscode.window.visibleTextEditors) {
			const { document } = editor; // a Dockerfile, or a Compose or bake file with one in it
			const status = statuses.of(document);
			if (status?.state === "pending") {
				continue; // what is shown stays until there is something newer
			}
			for (const [kind, decoration] of marks) {
				const steps = enabled ? (status?.steps ?? []).filter((step) => kindOf(step) === kind) : [];
				decorate(editor, decoration, steps.map((step) => ({ range: firstWord(document, step.line - 1) })));
			}
			const ends = status && painted(document) ? lineEnds(status) : [];
			decorate(editor, texts, [...ends].map(([line, parts]) => textAt(document, line - 1, parts, status!)));
		}
	};

	context.subscriptions.push(
		...marks.values(),
		texts,
		statuses.onDidChange(paint),
		vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) =>
			statuses.move(document, contentChanges) && paint()),
		vscode.window.onDidChangeVisibleTextEditors(paint),
		vscode.workspace.onDidChangeConfiguration((e) =>
			["layerwise.gutterMarks", "editor.inlayHints.enabled", "editor.accessibilitySupport"].some((name) =>
				e.affectsConfiguration(name)) && paint()),
	);
}

/** The first word of a line. */
function firstWord(document: vscode.TextDocument, line: number): vscode.Range {
	const [, blanks, word] = /^(\s*)(\S*)/.exec(document.lineAt(line).text)!;
	return new vscode.Range(line, blanks.length, line, blanks.length + word.length);
}

/** The decoration that writes a text at the end of a line. */
function textAt(
	document: vscode.TextDocument,
	line: number,
	parts: { kind?: Kind; text: string }[],
	status: CacheStatus,
): vscode.DecorationOptions {
	const after = {
		contentText: parts.map((part) => part.text).join(" · "),
		margin: "0 0 0 2ch",
		color: textColor(parts[0].kind, status),
		fontStyle: "normal",
	};
	return { range: document.lineAt(line).range, renderOptions: { after } };
}
