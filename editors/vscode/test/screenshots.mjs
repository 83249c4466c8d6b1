// Makes the pictures of the documentation: docs/images/vscode.png and evn-fix.png. Look at them before they are committed.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startEditor } from "./editor.mjs";

const { WORKSPACE, IMAGES } = process.env;
const shop = join(WORKSPACE, "shop");

const vscode = await startEditor({
	"workbench.colorTheme": "Default Dark Modern",
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
});
try {
	const window = await vscode.open(shop, { width: 980, height: 470, scale: 2 });
	await window.openFile("Dockerfile");
	await window.command("View: Toggle Primary Side Bar Visibility");
	await window.page.waitForFunction(() => document.querySelector(".statusbar-item[id*=layerwise]"));
	writeFileSync(join(shop, "src", "app.js"), 'document.title = "Better shop";\n');
	await window.page.locator(".view-line", { hasText: "app.js was modified" }).waitFor();
	await window.page.keyboard.press("Control+Home");
	await window.goToLine(10);
	await sleep(2000); // for the lenses, which VS Code asks for with a delay
	await window.page.screenshot({ path: join(IMAGES, "vscode.png") });

	await window.replaceLine(12, "EVN PORT=8080");
	await window.page.waitForSelector(".squiggly-error");
	await window.goToLine(12, 2);
	await sleep(1000);
	await window.openFixes("Change to ENV");
	await sleep(1000);
	await window.page.screenshot({ path: join(IMAGES, "evn-fix.png") });
} finally {
	await vscode.stop();
}
