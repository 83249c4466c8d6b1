// What a user sees of Layerwise in VS Code. Each step waits until it is so, or fails with what was there instead.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually, read, startEditor } from "./editor.mjs";

const { WORK, WORKSPACE, ARTEFACTS, LAYERWISE, AFTER, KEPT, DIFFERS } = process.env;
const shop = join(WORKSPACE, "shop");
const seed = join(WORKSPACE, "seed");
const kept = join(WORKSPACE, "kept");

/**
 * The marks of a file, one letter per line as in the other editors' tests: c cached, r rebuilt, ? uncertain, x fails.
 */
const marksAre = (what, editor, want) =>
	eventually(what, async () => {
		const marks = await editor.marks();
		const letters = { cached: "c", rebuilt: "r", uncertain: "?", fails: "x" };
		assert.equal([...want].map((_, i) => letters[marks[i + 1]] ?? " ").join(""), want);
	});

/** The running programs of a path. */
const running = (path) =>
	readdirSync("/proc").filter((pid) => {
		try {
			return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/exe`) === path;
		} catch {
			return false;
		}
	});

/**
 * Types two lines and removes them again. In the frames that are drawn meanwhile, what the gutter, the
 * summaries and the status bar say is of one version of the text.
 */
async function typesInOneStep(window) {
	await window.goToLine(5);
	await window.page.keyboard.press("End");
	await window.record();
	await window.page.keyboard.type("\nENV A=1\nRUN x", { delay: 60 });
	await marksAre("marks while two lines are typed", window, "ccc   rrrrr c c?  ");
	await window.goToLine(6); // an arrow would choose in the signature help, if that is shown
	await window.page.keyboard.press("Control+Shift+k");
	await window.page.keyboard.press("Control+Shift+k");
	await marksAre("marks when the lines are gone again", window, "ccc  cccc c cc  ");
	const frames = await window.recorded();
	// The editor may draw a frame when it was told half of what is new, or when what it is told was of the text before.
	const mixed = frames.filter(({ marks, bar, summaries }) => {
		const cached = Object.values(marks).filter((mark) => mark === "cached").length;
		const said = /^(\d+)\/(\d+) cached/.exec(bar);
		const summed = summaries.map((summary) => /^all (\d+) cached|^(\d+) of/.exec(summary)).reduce((n, found) =>
			n + Number(found?.[1] ?? found?.[2] ?? 0), 0);
		const barAgrees = said ? Number(said[1]) === cached : /^fails/.test(bar);
		return !barAgrees || (summaries.length === 2 && summed !== cached);
	});
	const strays = frames.filter((frame) => frame.strays.length > 0);
	const seen = `of ${frames.length} frames ${mixed.length} are mixed, ${strays.length} have a mark at an empty line`;
	console.log(`           ${seen}`);
	assert.ok(frames.length > 4 && mixed.length < frames.length / 2, `${seen}, such as ${JSON.stringify(mixed[0])}`);
}

/** The tree follows the marks at once, four times of six: what VS Code hears second of a view, it draws 0.2 s later. */
async function treeFollows(window) {
	await window.goToLine(5);
	await window.page.keyboard.press("End");
	await eventually("the tree is drawn with the marks", async () => {
		const lags = [];
		for (const key of ["x", "Backspace", "x", "Backspace", "x", "Backspace"]) {
			await sleep(300); // as long as it takes until VS Code draws a change at once again
			lags.push(await window.treeLag(() => window.page.keyboard.press(key)));
		}
		assert.ok(lags.filter((lag) => lag < 150).length >= 4, `${lags} ms later`);
	});
}

const vscode = await startEditor();
let window;
let carried;

/** Opens the Dockerfile of a folder that has settings, with the server that the settings name. */
async function openWith(folder, settings) {
	mkdirSync(join(folder, ".vscode"));
	const named = { ...settings, "layerwise.server.path": LAYERWISE };
	writeFileSync(join(folder, ".vscode", "settings.json"), JSON.stringify(named));
	window = await vscode.open(folder);
	await window.openFile("Dockerfile");
}

try {
	// The marks, under BuildKit, from the server that the extension carries.
	window = await vscode.open(shop);
	await window.openFile("Dockerfile");
	await marksAre("marks of a file that is as it was built", window, "ccc  cccc c cc  ");
	await eventually("the status bar counts and names the baseline", async () =>
		assert.match(await window.statusBar(), /^10\/10 cached · assumed, compared with git HEAD$/),
	);
	await eventually("a summary behind each FROM, and one lens with the baseline", async () => {
		assert.deepEqual(await window.lenses(), ["Compared with git HEAD (if built here)"]);
		const ends = await window.lineEnds();
		assert.equal(ends[1], "all 7 cached");
		assert.equal(ends[11], "all 3 cached");
	});
	await window.command("Focus on Docker Stages View");
	await eventually("the tree of stages", async () => {
		const rows = await window.stages();
		assert.match(rows[0], /^build.*all 7 cached/);
		assert.match(rows[1], /^FROM/);
	});
	carried = join(WORK, "extensions", readdirSync(join(WORK, "extensions")).find((name) =>
		name.startsWith("layerwise.")), "server", "layerwise");
	assert.equal(running(carried).length, 1, `${carried} should run`);

	writeFileSync(join(shop, "src", "app.js"), 'document.title = "Better shop";\n');
	await marksAre("marks after a file of the context was saved", window, "ccc  ccrr c c?  ");
	await eventually("the cause at the line end", async () =>
		assert.match((await window.lineEnds())[8], /rebuilt: .*app\.js/));
	await eventually("the tree says of a stage what stands behind its FROM", async () => {
		const ends = await window.lineEnds();
		assert.equal(ends[1], "5 of 7 cached · rebuilds from line 8");
		assert.ok((await window.stages())[0].includes(ends[1]));
	});

	await window.replaceLine(7, "RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev");
	await marksAre("marks after an unsaved edit", window, "ccc  crrr c c?  ");
	await window.page.screenshot({ path: join(ARTEFACTS, "marks.png") });

	await window.save();
	execFileSync("git", ["-C", WORKSPACE, "commit", "-qam", "A better shop"]);
	await marksAre("marks after a commit", window, "ccc  cccc c cc  ");
	await eventually("the summaries follow", async () => assert.equal((await window.lineEnds())[1], "all 7 cached"));
	await typesInOneStep(window);
	await treeFollows(window);

	// EVN.
	await window.replaceLine(12, "EVN PORT=8080");
	await window.page.waitForSelector(".squiggly-error");
	await marksAre("marks of a file with a mistake", window, "ccc  cccc cxcc  ");
	await eventually("the status bar says where the build fails", async () =>
		assert.match(await window.statusBar(), /fails at line 12/));
	await window.command("Problems: Focus on Problems View");
	await eventually("the mistake is among the problems", async () =>
		assert.match(await window.page.locator(".markers-panel .monaco-list-row", { hasText: "EVN" }).first().textContent(), /ENV/),
	);
	await window.command("View: Toggle Panel Visibility");
	await window.goToLine(12, 2);
	await window.openFixes("Change to ENV");
	await window.page.screenshot({ path: join(ARTEFACTS, "evn.png") });
	await window.page.keyboard.press("Enter");
	await eventually("the fix is made", async () => assert.match((await window.lines())[11], /^ENV PORT=8080/));
	await window.page.locator(".squiggly-error").waitFor({ state: "detached" });

	// Hover.
	writeFileSync(join(shop, "src", "app.js"), 'document.title = "The best shop";\n');
	await marksAre("marks after the context changed again", window, "ccc  ccrr c c?  ");
	await window.goToLine(8, 2);
	await window.command("Show or Focus Hover");
	await eventually("the hover names the cause", async () =>
		assert.match(await window.page.locator(".monaco-hover:visible").first().textContent(), /src\/app\.js/),
	);
	await window.page.keyboard.press("Escape");

	// Completion, with the file's own stages and the context's files.
	await window.goToLine(17);
	await window.page.keyboard.type("COPY --from=bu");
	await (await window.complete()).filter({ hasText: "build" }).first().waitFor();
	await window.page.screenshot({ path: join(ARTEFACTS, "completion.png") });
	await window.page.keyboard.press("Enter");
	await eventually("the completed stage", async () => assert.match((await window.lines())[16], /^COPY --from=build/));
	await window.page.keyboard.press("Shift+Home");
	await window.page.keyboard.press("Delete");

	// Rename, where a stage is named and where it is copied from.
	await window.goToLine(1, 26);
	await window.page.keyboard.press("F2");
	await window.page.locator(".rename-box input").fill("compile");
	await window.page.keyboard.press("Enter");
	await eventually("the stage is renamed", async () => {
		const lines = await window.lines();
		assert.match(lines[0], /AS compile/);
		assert.match(lines[13], /--from=compile/);
	});
	await marksAre("marks after the rename, which changes no cache key", window, "ccc  ccrr c c?  ");
	await window.save();

	// What to compare with, and that it was built.
	await window.command("Layerwise: Compare With");
	const choices = window.page.locator(".quick-input-list .monaco-list-row");
	const opened = choices.filter({ hasText: /^The file as it was opened/ }).first();
	await opened.waitFor();
	await window.page.screenshot({ path: join(ARTEFACTS, "baselines.png") });
	await opened.click();
	await eventually("the status bar names the baseline that was chosen", async () =>
		assert.match(await window.statusBar(), /as it was opened/));
	await window.command("Layerwise: Mark as Built");
	await eventually("the status bar names what was marked as built", async () =>
		assert.match(await window.statusBar(), /marked as built/));
	await window.command("Layerwise: Compare With");
	await window.page.locator(".quick-input-list .monaco-list-row", { hasText: "Last on record" }).first().click();
	await marksAre("marks of what is recorded as built", window, "ccc  cccc c cc  ");
	await window.page.close();

	// A Dockerfile within a Compose file.
	const inline = join(WORKSPACE, "inline");
	mkdirSync(inline);
	writeFileSync(join(inline, "compose.yaml"), "services:\n  web:\n    build:\n      dockerfile_inline: |\n" +
		"        FROM alpine\n        RUN one\n        RUN two\n");
	execFileSync("git", ["-C", WORKSPACE, "add", "inline"]);
	execFileSync("git", ["-C", WORKSPACE, "commit", "-qm", "A service"]);
	window = await vscode.open(inline);
	await window.openFile("compose.yaml");
	await marksAre("marks of a Dockerfile within a Compose file", window, "    ccc");
	await window.replaceLine(7, "        RUN three");
	await marksAre("marks there after an edit", window, "    ccr");
	await eventually("the cause at the line end there", async () =>
		assert.match((await window.lineEnds())[7], /rebuilt: .*edited/));
	await window.page.screenshot({ path: join(ARTEFACTS, "inline.png") });
	await window.page.close();

	// Reordering, under the classic builder, with a server that the settings name.
	await openWith(seed, { "layerwise.engine": "classic" });
	await marksAre("marks of the seed, where every instruction is a step", window, "c ccc cc c");
	await window.command("Layerwise: Show Reordering");
	const raising = { hasText: /^Raise CMD, join 3 ENVs/ };
	await window.page.locator(".quick-input-list .monaco-list-row", raising).first().click();
	await window.page.waitForSelector(".diff-editor, .monaco-diff-editor");
	await eventually("the preview says how sure it is", async () =>
		assert.match((await window.previewed()), /^Proved: CMD \(line 10\) goes below FROM \(line 1\) · Why\?$/));
	await window.page.locator(".modified .view-line", { hasText: /^CMD/ }).first().click();
	await window.command("Show or Focus Hover");
	await window.page.locator(".monaco-hover:visible", { hasText: "The image stays the same" }).waitFor();
	await window.page.screenshot({ path: join(ARTEFACTS, "reordering.png") });
	await window.toolbar("Apply Reordering").click();
	await window.page.locator(".tab.active.dirty", { hasText: /^Dockerfile$/ }).waitFor();
	await window.save();
	await eventually("the reordered file", () => assert.equal(read(join(seed, "Dockerfile")), read(AFTER)));

	// Clean shutdown.
	await window.command("Layerwise: Restart Server");
	await eventually("the server ends with code 0 when it is restarted", () =>
		assert.match(read(join(WORK, "exits")), /^(0\n)+$/));

	// Reordering with verification: nothing is changed where the images differ.
	await window.page.close();
	await openWith(kept, { "layerwise.buildkit": "tcp://127.0.0.1:1" });
	await marksAre("marks of a file that is verified", window, "cc");
	const choose = async (hasText) => {
		await window.command("Layerwise: Show Reordering");
		await window.page.locator(".quick-input-list .monaco-list-row", { hasText }).first().click();
	};
	writeFileSync(DIFFERS, "");
	await choose(/^Verify and apply/);
	await window.page.locator(".notification-toast", { hasText: "the reordering makes another image" }).waitFor();
	rmSync(DIFFERS);
	await window.page.setViewportSize({ width: 640, height: 480 });
	await choose(/^Copy package-lock/);
	await eventually("the preview says in a narrow window what is gained, and how sure it is", async () =>
		assert.match(
			await window.previewed(), /^Likely: about \d+ s less per build, by estimate; about 10 of 100 builds /,
		));
	await window.page.screenshot({ path: join(ARTEFACTS, "narrow.png") });
	await window.page.setViewportSize({ width: 1280, height: 800 });
	await window.toolbar("Discard Reordering").click();
	await window.page.locator(".tab", { hasText: /^Copy package-lock/ }).waitFor({ state: "detached" });
	await choose(/^Copy package-lock/);
	await window.toolbar("Build Both, and Apply").click();
	await window.page.locator(".tab.active.dirty", { hasText: /^Dockerfile$/ }).waitFor();
	await window.page.screenshot({ path: join(ARTEFACTS, "verified.png") });
	await window.save();
	await eventually("the verified order", () => assert.equal(read(join(kept, "Dockerfile")), read(KEPT)));
	await window.page.close();

	// A server that is not there.
	window = await vscode.open(seed);
	await window.openFile("Dockerfile");
	const nowhere = { "layerwise.server.path": "/nowhere/layerwise" };
	writeFileSync(join(seed, ".vscode", "settings.json"), JSON.stringify(nowhere));
	const toast = window.page.locator(".notification-toast", { hasText: "names /nowhere/layerwise, which is not a program" });
	await toast.locator(".monaco-button", { hasText: "Open Settings" }).waitFor();
	await eventually("no marks are left of a server that is gone", async () =>
		assert.deepEqual(await window.marks(), {}));
	await window.page.close();
} catch (error) {
	await window?.page.screenshot({ path: join(ARTEFACTS, "failure.png") }).catch(() => {});
	rmSync(join(ARTEFACTS, "logs"), { recursive: true, force: true });
	cpSync(join(WORK, "user", "logs"), join(ARTEFACTS, "logs"), { recursive: true });
	console.error(`FAILED: ${error.message}\nThe screen and VS Code's logs are in ${ARTEFACTS}`);
	process.exitCode = 1;
} finally {
	await vscode.stop();
}
await eventually("nothing is left running", () => assert.deepEqual(running(carried), []));
console.log(process.exitCode ? "VS Code: FAILED" : "VS Code: passed");
