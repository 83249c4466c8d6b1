// Runs VS Code as code-server and drives it in Chromium.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";

const { CODE_SERVER, WORK } = process.env;

for (const signal of ["SIGINT", "SIGTERM"]) {
	process.once(signal, () => process.exit(1));
}

const settings = {
	"workbench.startupEditor": "none",
	"workbench.tips.enabled": false,
	"window.commandCenter": false,
	"workbench.secondarySideBar.defaultVisibility": "hidden",
	"telemetry.telemetryLevel": "off",
	"extensions.autoCheckUpdates": false,
	"extensions.ignoreRecommendations": true,
	"editor.minimap.enabled": false,
	"editor.quickSuggestions": { other: "off", strings: "off", comments: "off" },
	"editor.autoClosingBrackets": "never",
	"editor.autoClosingQuotes": "never",
	"git.openRepositoryInParentFolders": "never",
	"files.autoSave": "off",
	"chat.commandCenter.enabled": false,
};

/**
 * Installs the .vsix, unless only the others are wanted, and other extensions, and starts VS Code, which trusts every
 * folder unless told not to.
 */
export async function startEditor(extraSettings = {}, { extensions = [], trusting = true, own = true } = {}) {
	const installed = join(WORK, own ? "extensions" : "others");
	const dirs = ["--user-data-dir", join(WORK, "user"), "--extensions-dir", installed];
	mkdirSync(join(WORK, "user", "User"), { recursive: true });
	writeFileSync(join(WORK, "user", "User", "settings.json"), JSON.stringify({ ...settings, ...extraSettings }));
	const wanted = [...(own ? [join(WORK, "layerwise.vsix")] : []), ...extensions];
	const install = wanted.flatMap((vsix) => ["--install-extension", vsix]);
	execFileSync(process.execPath, [CODE_SERVER, ...dirs, ...install], { stdio: "pipe" });

	const port = await freePort();
	const args = ["--auth", "none", "--bind-addr", `127.0.0.1:${port}`, "--disable-telemetry", "--disable-update-check"];
	if (trusting) {
		args.push("--disable-workspace-trust");
	}
	const server = spawn(process.execPath, [CODE_SERVER, ...dirs, ...args], { stdio: ["ignore", "pipe", "pipe"] });
	process.once("exit", () => server.kill()); // also where the test fails before it can stop it
	let log = "";
	const listening = new Promise((resolve, reject) => {
		const read = (data) => (log += data).includes("HTTP server listening") && resolve();
		server.stdout.on("data", read);
		server.stderr.on("data", read);
		server.on("exit", () => reject(new Error(`code-server ended:\n${log}`)));
		setTimeout(() => reject(new Error(`code-server does not listen:\n${log}`)), 30_000).unref();
	});
	await listening;
	const browser = await chromium.launch({
		executablePath: "/usr/bin/chromium",
		args: [
			"--no-sandbox",
			"--disable-gpu",
			"--disable-quic",
			"--no-first-run",
			"--disable-background-networking",
			"--disable-component-update",
			"--disable-sync",
		],
	});
	return {
		open: async (folder, options) => Editor.open(browser, `http://127.0.0.1:${port}/?folder=${folder}`, options),
		stop: async () => {
			await browser.close();
			const ended = new Promise((resolve) => server.once("exit", resolve));
			server.kill();
			await ended;
		},
	};
}

function freePort() {
	return new Promise((resolve) => {
		const probe = createServer().listen(0, "127.0.0.1", () => {
			const { port } = probe.address();
			probe.close(() => resolve(port));
		});
	});
}

/** Runs in the page: what is to be seen in the editor at one moment. */
function looks() {
	const editor = () => document.querySelector(".editor-instance");
	const lineNumbers = () =>
		new Map(
			[...editor().querySelectorAll(".margin-view-overlays .line-numbers")].map((number) => [
				number.parentElement.style.top,
				Number(number.textContent),
			]),
		);
	const views = () => [...editor().querySelectorAll(".view-line")];
	const unquoted = (content) => (/^".*"$/.test(content) ? JSON.parse(content) : "");
	const painted = (view) =>
		[...view.querySelectorAll("[class*=ced-]")]
			.map((span) => unquoted(getComputedStyle(span, "::after").content))
			.join("");
	const looked = (window.looked = {
		previewed: () => [...document.querySelectorAll(".editor.modified .view-line")].map(painted).join(""),
		marks() {
			const lines = lineNumbers();
			const marks = {};
			for (const glyph of editor().querySelectorAll(".glyph-margin-widgets .cgmr")) {
				const picture = getComputedStyle(glyph).backgroundImage;
				const icon = /(cached|rebuilt|uncertain|fails)-(light|dark)\.svg/.exec(picture);
				if (icon) {
					marks[lines.get(glyph.style.top)] = icon[1];
				}
			}
			return marks;
		},
		lineEnds() {
			const lines = lineNumbers();
			const ends = {};
			for (const view of views()) {
				const text = painted(view);
				if (text) {
					ends[lines.get(view.style.top)] = text;
				}
			}
			return ends;
		},
		/** Waits until the first stage's summary is another than before; says how much later the tree of stages was. */
		treeFollows(before) {
			let began;
			const look = (resolve) => {
				if (looked.lineEnds()[1] !== before) {
					began ??= performance.now();
				}
				const summary = document.querySelector(".tree-explorer-viewlet-tree-view .label-description");
				if (began && summary?.textContent !== before) {
					return resolve(performance.now() - began);
				}
				requestAnimationFrame(() => look(resolve));
			};
			return new Promise(look);
		},
		/** Marks and texts, those that stand at a line without an instruction, and the status bar's text. */
		frame() {
			const lines = lineNumbers();
			const texts = new Map(views().map((view) => [lines.get(view.style.top), view.textContent.trim()]));
			const marks = looked.marks();
			const ends = looked.lineEnds();
			const strays = [...Object.keys(marks), ...Object.keys(ends)].filter((line) => !texts.get(Number(line)));
			const summaries = Object.entries(ends)
				.filter(([line]) => /^FROM/.test(texts.get(Number(line))))
				.map(([, end]) => end);
			const bar = document.querySelector('.statusbar-item[id*="layerwise"]')?.textContent.trim() ?? "";
			return { marks, strays, summaries, bar };
		},
	});
}

/** One window of VS Code. */
export class Editor {
	static async open(browser, url, { width = 1280, height = 800, scale = 1 } = {}) {
		const page = await browser.newPage({ viewport: { width, height }, deviceScaleFactor: scale });
		page.setDefaultTimeout(30_000);
		await page.addInitScript(looks);
		await page.goto(url);
		await page.waitForSelector(".monaco-workbench .statusbar-item");
		return new Editor(page);
	}

	constructor(page) {
		this.page = page;
	}

	async openFile(name) {
		await this.page.keyboard.press("Control+p");
		await this.page.locator(".quick-input-widget input").fill(name);
		await this.page.locator(".quick-input-list .monaco-list-row.focused", { hasText: name }).first().waitFor();
		await this.page.keyboard.press("Enter");
		await this.page.locator(".tab.active", { hasText: name.split("/").pop() }).waitFor();
		await this.page.waitForSelector(".editor-instance .view-line");
	}

	/** Runs a command. Until the list is filtered, what is focused in it is the command that was used last. */
	async command(title) {
		await this.page.keyboard.press("F1");
		await this.page.locator(".quick-input-widget input").fill(`>${title}`);
		await this.page.locator(".quick-input-list .monaco-list-row.focused", { hasText: title }).first().waitFor();
		await this.page.keyboard.press("Enter");
	}

	async goToLine(line, column = 1) {
		await this.page.keyboard.press("Control+g");
		await this.page.locator(".quick-input-widget input").fill(`:${line}:${column}`);
		await this.page.keyboard.press("Enter");
		await this.page.locator(".quick-input-widget").waitFor({ state: "hidden" });
	}

	/** Types a line in place of another (1-based). */
	async replaceLine(line, text) {
		await this.goToLine(line);
		await this.page.keyboard.press("Home");
		await this.page.keyboard.press("Shift+End");
		await this.page.keyboard.type(text);
	}

	/** A button in the toolbar of the editor. */
	toolbar(label) {
		return this.page.locator(`.editor-actions .action-label[aria-label^="${label}"]`);
	}

	/** Opens the menu of fixes at the caret, with the named one chosen. */
	openFixes(title) {
		return this.#pressFor("Control+.", this.page.locator(".action-widget .monaco-list-row.focused", { hasText: title }));
	}

	/** Asks for completion at the caret. */
	async complete() {
		const offered = this.page.locator(".suggest-widget.visible .monaco-list-row");
		await this.#pressFor("Control+Space", offered.first());
		return offered;
	}

	/** Presses a key until it has shown something. VS Code, asked while it is busy itself, may show nothing. */
	async #pressFor(key, shown) {
		for (let attempt = 1; ; attempt++) {
			await this.page.keyboard.press(key);
			try {
				return await shown.waitFor({ timeout: 5000 });
			} catch (error) {
				if (attempt === 3) {
					throw error;
				}
				await this.page.keyboard.press("Escape");
			}
		}
	}

	async save() {
		await this.page.keyboard.press("Control+s");
		await this.page.locator(".tab.active.dirty").waitFor({ state: "detached" });
	}

	/** The marks that are painted in the gutter, by line: "cached", "rebuilt", "uncertain" or "fails". */
	marks() {
		return this.page.evaluate(() => window.looked.marks());
	}

	/** What is painted behind the text of the lines, by line. */
	lineEnds() {
		return this.page.evaluate(() => window.looked.lineEnds());
	}

	/** What is painted in the new file of a diff. */
	previewed() {
		return this.page.evaluate(() => window.looked.previewed());
	}

	/** Begins to note what each frame shows. */
	record() {
		return this.page.evaluate(() => {
			const frames = (window.looked.frames = []);
			const look = () => {
				if (window.looked.frames !== frames) {
					return;
				}
				frames.push(window.looked.frame());
				requestAnimationFrame(look);
			};
			requestAnimationFrame(look);
		});
	}

	/** Ends that. */
	recorded() {
		return this.page.evaluate(() => {
			const { frames } = window.looked;
			window.looked.frames = undefined;
			return frames;
		});
	}

	/** The text of each line that is in view, with its inlay hints, from the top. */
	lines() {
		return this.page.evaluate(() =>
			[...document.querySelectorAll(".editor-instance .view-line")]
				.sort((a, b) => parseFloat(a.style.top) - parseFloat(b.style.top))
				.map((line) => line.textContent.replaceAll("\u00a0", " ")),
		);
	}

	/** The rows of the tree of stages, from the top. */
	async stages() {
		const rows = this.page.locator('.pane', { hasText: "Docker Stages" }).locator(".monaco-list-row");
		return (await rows.allTextContents()).map((row) => row.replaceAll("\u00a0", " "));
	}

	/** Does something that changes the first stage's summary; how many milliseconds later the tree says so, too. */
	async treeLag(change) {
		const before = (await this.lineEnds())[1];
		const lag = this.page.evaluate((before) => window.looked.treeFollows(before), before);
		await change();
		return lag;
	}

	/** How many lines can be folded; the setting editor.showFoldingControls has to be "always". */
	folds() {
		return this.page.locator(".editor-instance .codicon-folding-expanded").count();
	}

	lenses() {
		return this.page.locator(".codelens-decoration").allTextContents();
	}

	/** What the status bar says to a screen reader: its text, and what is compared with. */
	async statusBar() {
		const item = this.page.locator('.statusbar-item[id*="layerwise"]').first();
		const label = await item.locator("[aria-label]").first().getAttribute("aria-label");
		const [, said] = /^Layerwise: (.*)$/.exec(label) ?? [];
		assert.ok(said?.startsWith((await item.textContent()).trim()), `${label} should begin with the text`);
		return said;
	}
}

export const read = (path) => readFileSync(path, "utf8");

/** Waits until a check no longer throws, and says so. */
export async function eventually(what, check) {
	const deadline = Date.now() + 20_000;
	for (;;) {
		try {
			await check();
			console.log(`  ${(process.uptime()).toFixed(1).padStart(5)} s  ${what}`);
			return;
		} catch (error) {
			if (Date.now() > deadline) {
				throw new Error(`${what}: ${error.message}`);
			}
			await sleep(50);
		}
	}
}
