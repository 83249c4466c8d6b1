import { NotificationType } from "vscode-languageclient/node";

/** The verdict on one instruction, as `layerwise predict --format json` gives it. Lines are 1-based. */
export interface Step {
	line: number;
	endLine: number;
	stage: string;
	instruction: string;
	/** The instruction on one line. */
	text: string;
	status: "cached" | "rebuilt" | "config" | "skipped" | "unknown" | "fails";
	/** False where the verdict hangs on something that no static tool can know. */
	certain: boolean;
	/** Why it is rebuilt; "follows" where only the line above is the reason. */
	cause?: { kind: string; line: number; detail: string };
	/** A remark. */
	detail?: string;
	/** Sentences: what the mark rests on. */
	assuming?: string[];
	/** How long the step took and what its layer adds, where a record knows. */
	seconds?: number;
	bytes?: number;
}

/** The verdicts on one version of a document. */
export interface CacheStatus {
	uri: string;
	/** The version that the lines belong to; null when the document was closed. */
	version: number | null;
	/** "pending" while the context or the baseline is still being read; then there are no steps. */
	state: "ready" | "pending";
	engine: string;
	target: string;
	/** `assumed` is what nobody knows of the baseline, such as "HEAD was built here"; else `builder` has it. */
	baseline: { kind: string; ref?: string; assumed?: string; builder?: string };
	baselineLabel: string;
	/** Sentences for people: what was not found and what was used instead. */
	notes?: string[];
	steps: Step[];
	/** What stands at the end of a line; by the settings there may be none. */
	hints?: { line: number; text: string }[];
	/** The summary of a stage, with the lines of its FROM; none where there is nothing to say. */
	stages?: { line: number; endLine: number; text: string }[];
	summary: {
		cached: number;
		rebuilt: number;
		config: number;
		skipped: number;
		unknown: number;
		fails?: number;
		seconds?: number;
	};
}

export const cacheStatus = new NotificationType<CacheStatus>("layerwise/cacheStatus");
