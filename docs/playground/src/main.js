import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { setDiagnostics } from "@codemirror/lint";
import { EditorState, RangeSet, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, GutterMarker, WidgetType, gutter, keymap, lineNumbers } from "@codemirror/view";
import { difference } from "./difference.js";
import { edited, examples, request } from "./examples.js";

const $ = (id) => document.getElementById(id);
/** What the page shows: two versions of the Dockerfile and its files, and the file that is open. */
let state = { before: { dockerfile: "", files: {} }, files: {}, open: "" };
let answer = { steps: [], findings: [], summary: {} };
let orders; // undefined while they are searched for

// Marks in the gutter, causes at the line ends.

const words = { cached: "cached", rebuilt: "rebuilt", perhaps: "perhaps rebuilt", fails: "the build fails here" };
const signs = { cached: "✓", rebuilt: "↻", perhaps: "◌", fails: "✗" };
const kindOf = (step) => (step.status === "rebuilt" && !step.certain ? "perhaps" : step.status);

class Mark extends GutterMarker {
	constructor(kind) {
		super();
		this.kind = kind;
	}
	eq(other) {
		return this.kind === other.kind;
	}
	toDOM() {
		const mark = document.createElement("span");
		mark.className = `mark ${this.kind}`;
		mark.textContent = signs[this.kind];
		mark.title = words[this.kind];
		mark.setAttribute("aria-label", words[this.kind]);
		return mark;
	}
}

class Cause extends WidgetType {
	constructor(text) {
		super();
		this.text = text;
	}
	eq(other) {
		return this.text === other.text;
	}
	toDOM() {
		const cause = document.createElement("span");
		cause.className = "cause";
		cause.textContent = this.text;
		return cause;
	}
}

const setSteps = StateEffect.define();
const marks = StateField.define({
	create: () => ({ gutter: RangeSet.empty, causes: Decoration.none }),
	update(value, transaction) {
		for (const effect of transaction.effects) {
			if (effect.is(setSteps)) {
				return painted(transaction.state.doc, effect.value);
			}
		}
		return transaction.docChanged
			? { gutter: value.gutter.map(transaction.changes), causes: value.causes.map(transaction.changes) } // until the answer
			: value;
	},
	provide: (field) => [
		EditorView.decorations.from(field, (value) => value.causes),
		gutter({ class: "cm-marks", markers: (view) => view.state.field(field).gutter }),
	],
});

function painted(doc, steps) {
	const gutterMarks = [];
	const causes = [];
	for (const step of steps) {
		const kind = kindOf(step);
		if (!signs[kind] || step.line > doc.lines) {
			continue;
		}
		gutterMarks.push(new Mark(kind).range(doc.line(step.line).from));
		if (step.cause) {
			const at = doc.line(Math.min(step.endLine, doc.lines)).to;
			causes.push(Decoration.widget({ widget: new Cause(step.cause.detail), side: 1 }).range(at));
		}
	}
	return { gutter: RangeSet.of(gutterMarks, true), causes: Decoration.set(causes, true) };
}


const view = new EditorView({
	parent: $("editor"),
	extensions: [
		history(),
		keymap.of([...defaultKeymap, ...historyKeymap]),
		marks,
		lineNumbers(),
		EditorView.lineWrapping,
		EditorView.contentAttributes.of({ "aria-label": "Dockerfile" }),
		EditorView.updateListener.of((update) => update.docChanged && ask()),
	],
});

const dockerfile = () => view.state.doc.toString();

function setDockerfile(text) {
	view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}

// Ask the core and show what it says.

/** What the core answers to the examples, by the request: build.mjs has asked it. So marks stand before it is there. */
const answers = ANSWERS;

const core = new Worker(URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" })));
let ready = false; // whether the core is there
let busy = false; // whether it has something to answer

core.onmessage = ({ data }) => {
	busy = false;
	if (data.ready) {
		ready = true;
		$("loading").remove();
		ask();
	} else if (data.asked === asked()) {
		take(JSON.parse(data.told));
	} else if (data.asked === search.asked) {
		orders = JSON.parse(data.told).orders ?? [];
		showOrders();
	} else {
		ask(); // something was edited meanwhile
	}
};

function asked() {
	$("cache").disabled = $("engine").value === "classic"; // which imports none
	const cache = $("cache").disabled ? "" : $("cache").value;
	return request(state.before, { dockerfile: dockerfile(), files: state.files }, $("engine").value, cache);
}

/** Asks about what is there now; what is shown stays until the answer. */
function ask() {
	clearTimeout(search.timer);
	search.asked = undefined;
	if (ready && !busy) {
		busy = true;
		core.postMessage({ asked: asked() });
	} else if (!ready && answers[asked()]) {
		take(JSON.parse(answers[asked()]));
	}
	orders = undefined; // those of the text before would undo the edit
	showOrders();
}

function take(told) {
	answer = told;
	for (const list of ["steps", "findings"]) {
		answer[list] ??= [];
	}
	show();
	search.timer = setTimeout(search, 300);
}

/** Better orders are searched for when nothing was edited for a while: that takes too long for each key. */
function search() {
	if (ready && !busy) {
		busy = true;
		search.asked = JSON.stringify({ ...JSON.parse(asked()), orders: true });
		core.postMessage({ asked: search.asked });
	}
}

function show() {
	const diagnostics = answer.findings.map((finding) => ({
		from: finding.from,
		to: Math.max(finding.from, finding.to),
		severity: { information: "info" }[finding.severity] ?? finding.severity,
		message: `${finding.message} [${finding.rule}]`,
		actions: finding.fixes.slice(0, 3).map((fix) => ({ name: fix.title, apply: () => apply(fix.edits) })),
	}));
	view.dispatch({ effects: setSteps.of(answer.steps) });
	view.dispatch(setDiagnostics(view.state, diagnostics));
	const { cached = 0, rebuilt = 0 } = answer.summary;
	$("summary").textContent = answer.error ?? `${cached} of ${cached + rebuilt} steps cached`;
	showCauses();
	showFindings();
	showFiles();
}

function apply(edits) {
	view.dispatch({ changes: edits.map(({ from, to, text }) => ({ from, to, insert: text })), userEvent: "input.fix" });
	view.focus();
}

function element(tag, text, attributes = {}) {
	const made = document.createElement(tag);
	made.textContent = text;
	for (const [name, value] of Object.entries(attributes)) {
		name in made ? (made[name] = value) : made.setAttribute(name, value);
	}
	return made;
}

const none = (text) => element("p", text, { className: "none" });

function showCauses() {
	const reasons = answer.steps.filter((step) => step.cause && step.cause.kind !== "follows");
	const items = reasons.map((step) =>
		element("li", `line ${step.line}: ${words[kindOf(step)] ?? step.status}, ${step.cause.detail}`),
	);
	$("causes").replaceChildren(...(items.length ? items : [none("The next build reuses every step.")]));
}

function showFindings() {
	const items = answer.findings.map((finding) => {
		const item = element("li", `${finding.message} `);
		item.append(element("a", finding.rule, { href: finding.page }));
		for (const fix of finding.fixes.slice(0, 3)) {
			item.append(" ", element("button", fix.title, { onclick: () => apply(fix.edits) }));
		}
		return item;
	});
	$("findings").replaceChildren(...(items.length ? items : [none("None.")]));
}

function showOrders() {
	const offers = (orders ?? []).flatMap((order) => {
		const lines = difference(dockerfile().split("\n"), order.text.split("\n"));
		const text = element("pre", "");
		const classes = { "+": "add", "-": "remove", " ": "" };
		text.append(...lines.map(([sign, line]) => element("span", `${sign} ${line}`, { className: classes[sign] })));
		return [
			element("p", `${order.title} (${order.grade})`),
			text,
			element("p", order.explanation, { className: "explanation" }),
			element("button", "Apply", { onclick: () => setDockerfile(order.text) }),
		];
	});
	$("orders").replaceChildren(...(offers.length ? offers : [none(orders ? "None is known." : "Searching…")]));
}

function showFiles() {
	const names = [...new Set([...Object.keys(state.files), ...Object.keys(state.before.files)])].sort();
	const items = names.map((name) => {
		const was = state.before.files[name];
		const is = state.files[name];
		const change = was === undefined ? "added" : is === undefined ? "removed" : was !== is ? "modified" : "";
		const item = document.createElement("li");
		item.append(
			element("button", name, {
				className: "name",
				"aria-pressed": String(name === state.open),
				onclick: () => open(name),
				disabled: is === undefined,
			}),
			element("span", change, { className: "changed" }),
			is === undefined
				? element("button", "Restore", { onclick: () => edit(name, was) })
				: element("button", "Edit", { title: `Add a line to ${name}`, onclick: () => edit(name, `${is}// edited\n`) }),
			element("button", "Remove", {
				onclick: () => edit(name, undefined),
				disabled: is === undefined,
				"aria-label": `Remove ${name}`,
			}),
		);
		return item;
	});
	$("files").replaceChildren(...items);
}

function open(name) {
	state.open = name;
	$("content-label").textContent = name;
	$("content").value = state.files[name] ?? "";
	showFiles();
}

function edit(name, text) {
	state.files = { ...state.files };
	if (text === undefined) {
		delete state.files[name];
	} else {
		state.files[name] = text;
	}
	if (name === state.open) {
		$("content").value = text ?? "";
	}
	ask();
}

// What the page holds.

function load(next) {
	state = { ...next, open: Object.keys(next.files)[0] ?? "" };
	setDockerfile(next.dockerfile);
	open(state.open);
	ask();
}

function loadExample(example) {
	load({ before: example.before, ...edited(example) });
}

$("example").append(...examples.map(({ title }, i) => element("option", title, { value: String(i) })));
$("example").onchange = () => loadExample(examples[$("example").value]);
$("engine").onchange = ask;
$("cache").onchange = ask;
$("built").onclick = () => {
	state.before = { dockerfile: dockerfile(), files: { ...state.files } };
	ask();
};
$("undo").onclick = () => {
	load({ before: state.before, dockerfile: state.before.dockerfile, files: { ...state.before.files } });
};
$("content").oninput = () => state.open && edit(state.open, $("content").value);
$("add").onsubmit = (event) => {
	event.preventDefault();
	const name = $("name").value.trim();
	if (name && state.files[name] === undefined) {
		edit(name, "");
		open(name);
		$("name").value = "";
	}
};
$("link").onclick = async () => {
	const chosen = { engine: $("engine").value, cache: $("cache").value };
	location.hash = encodeURIComponent(JSON.stringify({ ...state, dockerfile: dockerfile(), ...chosen }));
	await navigator.clipboard?.writeText(location.href).catch(() => {});
	$("link").textContent = "The link is in the address bar";
};

function fromLink() {
	try {
		const linked = JSON.parse(decodeURIComponent(location.hash.slice(1)));
		$("engine").value = linked.engine === "classic" ? "classic" : "buildkit";
		$("cache").value = ["max", "min", "inline", "none"].includes(linked.cache) ? linked.cache : "";
		load({ before: linked.before, dockerfile: String(linked.dockerfile), files: linked.files });
		return true;
	} catch {
		return false;
	}
}

if (location.hash.length < 2 || !fromLink()) {
	loadExample(examples[0]);
}
document.addEventListener("DOMContentLoaded", () => core.postMessage({ core: $("core").textContent }));
