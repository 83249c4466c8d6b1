// Makes the pictures of the documentation, the still ones and the moving one (layerwise.webp, with Debian's img2webp).
// Look at them before they are committed.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startEditor } from "./editor.mjs";

const { WORK, WORKSPACE, IMAGES } = process.env;
const shop = join(WORKSPACE, "shop");

const quiet = {
	"workbench.activityBar.location": "hidden",
	"workbench.layoutControl.enabled": false,
	"workbench.editor.editorActionsLocation": "hidden",
	"window.menuBarVisibility": "hidden",
	"window.title": "${activeEditorShort}${separator}${rootName}",
	"breadcrumbs.enabled": false,
	"editor.occurrencesHighlight": "off",
	"editor.fontFamily": "DejaVu Sans Mono",
	"editor.fontSize": 13,
	"editor.lineHeight": 21,
	"editor.scrollbar.vertical": "hidden",
	"editor.renderLineHighlight": "none",
	"editor.stickyScroll.enabled": false,
	"editor.scrollBeyondLastLine": false,
};

/** Opens the Dockerfile of a folder. */
async function openDockerfile(vscode, folder, options) {
	const window = await vscode.open(folder, options);
	// What only code-server has in the status bar.
	const only = '.statusbar-item[id*="forwardedPorts"], .statusbar-item[id*="keyboardLayout"]';
	await window.page.addStyleTag({ content: `${only} { display: none !important; }` });
	window.page.setDefaultTimeout(180_000); // also on a busy machine
	await window.openFile("Dockerfile");
	await window.page.waitForFunction(() => document.querySelector(".statusbar-item[id*=layerwise]"));
	return window;
}

/** Waits until the end of a line says so. */
async function saysAtLineEnd(window, text) {
	while (!Object.values(await window.lineEnds()).some((end) => end.includes(text))) {
		await sleep(100);
	}
}

/** Opens the shop, and changes a file of its build context. */
async function openShop(vscode, size) {
	const window = await openDockerfile(vscode, shop, { ...size, scale: 2 });
	writeFileSync(join(shop, "src", "app.js"), 'document.title = "Better shop";\n');
	await saysAtLineEnd(window, "app.js was modified");
	return window;
}

/** Takes the picture when the editor has come to rest: it asks for the lenses with a delay. */
async function picture(window, name) {
	await sleep(2000);
	await window.page.locator(".statusbar-item", { hasText: "Activating Extensions" }).waitFor({ state: "detached" });
	await window.page.screenshot({ path: join(IMAGES, name) });
}

/** A project whose Dockerfile copies everything first, with a history in which mostly the sources changed. */
function slowProject(folder) {
	const git = (...args) => execFileSync("git", ["-C", folder, ...args]);
	const write = (path, text) => writeFileSync(join(folder, path), text);
	mkdirSync(join(folder, "src"), { recursive: true });
	cpSync(join(shop, "package.json"), join(folder, "package.json"));
	cpSync(join(shop, "package-lock.json"), join(folder, "package-lock.json"));
	write(".dockerignore", ".git\nnode_modules\nDockerfile\n.dockerignore\n");
	write("Dockerfile", "FROM node:22-alpine\nWORKDIR /shop\nCOPY . .\nRUN npm ci\nRUN npm run build\nEXPOSE 8080\n" +
		'CMD ["node", "dist/server.js"]\n');
	git("init", "-q");
	for (let i = 1; i <= 12; i++) {
		write("src/app.js", `export const version = ${i};\n`);
		git("add", "-A");
		git("commit", "-qm", `Version ${i}`);
	}
}

/** Frames of a moving picture: what is on the screen, for how long. */
class Film {
	constructor(page) {
		this.page = page;
		this.frames = [];
		mkdirSync((this.dir = join(WORK, "frames")), { recursive: true });
	}

	/** Says in a line below the text what happens. */
	async say(text) {
		await this.page.evaluate((text) => {
			let line = document.getElementById("film");
			if (!line) {
				line = document.body.appendChild(document.createElement("div"));
				line.id = "film";
				document.head.appendChild(document.createElement("style")).textContent = ".notifications-toasts { bottom: 62px !important; }";
				line.style.cssText = "position:fixed;left:0;right:0;bottom:22px;z-index:99999;padding:9px 16px;text-align:center;" +
					"background:#0e639c;color:#fff;font:600 15px system-ui,sans-serif;pointer-events:none";
			}
			line.textContent = text;
		}, text);
	}

	async take(ms) {
		const path = join(this.dir, `${String(this.frames.length).padStart(3, "0")}.png`);
		await this.page.screenshot({ path });
		this.frames.push("-lossless", "-m", "6", "-d", String(ms), path);
	}

	async type(text) {
		for (const letters of text.match(/.{1,2}/gs)) {
			await this.page.keyboard.type(letters);
			await this.take(130);
		}
	}

	write(path) {
		execFileSync("img2webp", ["-loop", "0", "-min_size", ...this.frames, "-o", path]);
	}
}

let vscode = await startEditor({ ...quiet, "workbench.colorTheme": "Default Dark Modern" });
try {
	const window = await openShop(vscode, { width: 980, height: 480 });
	await window.command("View: Toggle Primary Side Bar Visibility");
	await window.page.keyboard.press("Control+Home");
	await window.goToLine(10);
	await picture(window, "vscode.png");

	await window.replaceLine(12, "EVN PORT=8080");
	await window.page.waitForSelector(".squiggly-error");
	await window.goToLine(12, 2);
	await sleep(1000);
	await window.openFixes("Change to ENV");
	await picture(window, "evn-fix.png");
} finally {
	await vscode.stop();
}

// The light theme, with the tree of stages.
vscode = await startEditor({ ...quiet, "workbench.colorTheme": "Default Light Modern" });
try {
	const window = await openShop(vscode, { width: 1260, height: 560 });
	await window.page.locator(".pane-header", { hasText: /^shop$/i }).click(); // makes room
	await window.command("Focus on Docker Stages View");
	await window.goToLine(10);
	await picture(window, "vscode-light.png");
} finally {
	await vscode.stop();
}

// What a reordering gains, in the diff, and on what that rests.
for (const [theme, name] of [["Dark", "reordering.png"], ["Light", "reordering-light.png"]]) {
	const shown = { "workbench.colorTheme": `Default ${theme} Modern`, "workbench.editor.editorActionsLocation": "default" };
	vscode = await startEditor({ ...quiet, ...shown, "diffEditor.renderSideBySide": false });
	try {
		const folder = join(WORKSPACE, `slow-${theme}`);
		slowProject(folder);
		const window = await openDockerfile(vscode, folder, { width: 980, height: 420, scale: 2 });
		await window.command("View: Toggle Primary Side Bar Visibility");
		await window.command("Layerwise: Show Reordering");
		await window.page.locator(".quick-input-list .monaco-list-row", { hasText: /npm ci/ }).first().click();
		while (!(await window.previewed())) {
			await sleep(100);
		}
		await window.page.locator(".modified .view-line", { hasText: /^RUN.npm.ci/ }).first().click();
		await window.command("Show or Focus Hover");
		await window.page.locator(".monaco-hover:visible", { hasText: "Likely" }).waitFor();
		await picture(window, name);
	} finally {
		await vscode.stop();
	}
}

// The moving picture: a file changes, a mistake is fixed, the order is changed, and the same edit costs less.
vscode = await startEditor({ ...quiet, "workbench.colorTheme": "Default Dark Modern", "editor.fontSize": 14, "editor.lineHeight": 24,
	"workbench.editor.editorActionsLocation": "default" });
try {
	const folder = join(WORKSPACE, "slow");
	slowProject(folder);
	const window = await openDockerfile(vscode, folder, { width: 940, height: 400, scale: 1.5 });
	await window.command("View: Toggle Primary Side Bar Visibility");
	const marks = async (line, want) => {
		while ((await window.marks())[line] !== want) {
			await sleep(100);
		}
		await sleep(1200); // lenses and hints
	};
	const film = new Film(window.page);

	await film.say("Each instruction: cached, or rebuilt by the next docker build");
	await marks(5, "cached");
	await film.take(2500);
	writeFileSync(join(folder, "src", "app.js"), "export const version = 13;\n");
	await saysAtLineEnd(window, "app.js was modified");
	await marks(5, "rebuilt");
	await film.say("One source file was saved: npm ci will run again. The line says why");
	await film.take(3500);

	await film.say("A mistake");
	await window.goToLine(5);
	await window.page.keyboard.press("End");
	await window.page.keyboard.press("Enter");
	await film.type("EVN PORT=8080");
	await window.page.waitForSelector(".squiggly-error");
	await sleep(1500);
	await film.say("is found while you type, and fixed with one click");
	await film.take(1500);
	await window.goToLine(6, 2);
	await window.openFixes("Change to ENV");
	await film.take(1500);
	await window.page.keyboard.press("Enter");
	await window.page.locator(".squiggly-error").waitFor({ state: "detached" });
	await sleep(1500);
	await film.take(1800);
	await window.save();

	await film.say("A better order, from the history of the repository");
	await window.command("Layerwise: Show Reordering");
	const offer = window.page.locator(".quick-input-list .monaco-list-row", { hasText: /npm ci/ }).first();
	await offer.waitFor();
	await sleep(500);
	await film.take(2500);
	await offer.click();
	await window.page.waitForSelector(".diff-editor, .monaco-diff-editor");
	while (!(await window.previewed())) {
		await sleep(100);
	}
	await sleep(2000);
	await film.take(3500);
	await window.toolbar("Apply Reordering").click();
	await window.page.locator(".tab.active.dirty", { hasText: /^Dockerfile$/ }).waitFor();
	await window.save();
	await window.command("Notifications: Clear All Notifications");
	await window.command("Layerwise: Mark as Built");
	await marks(4, "cached");
	await film.say("Built once in this order");
	await film.take(2000);
	writeFileSync(join(folder, "src", "app.js"), "export const version = 14;\n");
	await saysAtLineEnd(window, "app.js was modified");
	await marks(6, "rebuilt");
	await film.say("The same edit again: npm ci is cached");
	await film.take(4500);
	film.write(join(IMAGES, "layerwise.webp"));
} finally {
	await vscode.stop();
}
