// Makes the pictures of the documentation: docs/images/vscode.png, evn-fix.png and vscode-light.png. Look at them before they are committed.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startEditor } from "./editor.mjs";

const { WORKSPACE, IMAGES } = process.env;
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

/** Opens the shop in a theme, and changes a file of its build context. */
async function openShop(vscode, size) {
	const window = await vscode.open(shop, { ...size, scale: 2 });
	// What only code-server has in the status bar.
	await window.page.addStyleTag({ content: '.statusbar-item[id*="forwardedPorts"], .statusbar-item[id*="keyboardLayout"] { display: none !important; }' });
	window.page.setDefaultTimeout(180_000); // also on a busy machine
	await window.openFile("Dockerfile");
	await window.page.waitForFunction(() => document.querySelector(".statusbar-item[id*=layerwise]"));
	writeFileSync(join(shop, "src", "app.js"), 'document.title = "Better shop";\n');
	await window.page.locator(".view-line", { hasText: "app.js was modified" }).waitFor();
	return window;
}

/** Takes the picture when the editor has come to rest: it asks for the lenses with a delay. */
async function picture(window, name) {
	await sleep(2000);
	await window.page.locator(".statusbar-item", { hasText: "Activating Extensions" }).waitFor({ state: "detached" });
	await window.page.screenshot({ path: join(IMAGES, name) });
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
