// Paints the screens of terminals that editors/test/pictures kept, the dark one above the light one: pictures.mjs
// SCREENS IMAGES EDITOR...
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const { XTERM } = process.env;
const [screens, images, ...editors] = process.argv.slice(2);
const themes = {
	dark: { background: "#16181d", foreground: "#d7dae0" },
	light: { background: "#ffffff", foreground: "#24292f" },
};

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1100, height: 800 }, deviceScaleFactor: 1.5 });
for (const editor of editors) {
	await page.setContent('<body style="margin:0"><div id="all" style="display:inline-block"></div></body>');
	await page.addStyleTag({ path: join(XTERM, "css", "xterm.css") });
	await page.addScriptTag({ path: join(XTERM, "lib", "xterm.js") });
	for (const [name, theme] of Object.entries(themes)) {
		const lines = readFileSync(join(screens, `${editor}.${name}`), "utf8").replace(/\n$/, "").split("\n");
		await page.evaluate(
			([lines, theme]) =>
				new Promise((resolve) => {
					const box = document.createElement("div");
					box.style = `padding: 8px; background: ${theme.background}`;
					document.getElementById("all").append(box);
					const font = { fontFamily: "DejaVu Sans Mono", fontSize: 13 };
					const terminal = new window.Terminal({ cols: 112, rows: lines.length, theme, ...font });
					terminal.open(box);
					terminal.write("\x1b[?25l" + lines.join("\r\n"), () => requestAnimationFrame(() => resolve()));
				}),
			[lines, theme],
		);
	}
	const png = (await page.locator("#all").screenshot()).toString("base64");
	const webp = await page.evaluate(async (png) => {
		const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
		const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
		canvas.getContext("2d").drawImage(image, 0, 0);
		return canvas.toDataURL("image/webp", 0.8).split(",")[1];
	}, png);
	writeFileSync(join(images, `${editor}.webp`), Buffer.from(webp, "base64"));
}
await browser.close();
