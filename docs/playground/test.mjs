// Drives the playground in Chromium, opened as a file: marks, an edit, a fix, an order, a link.
// test.mjs PAGE [FOLDER]; screenshots go to the folder.
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [page, folder] = process.argv.slice(2);
const browser = await chromium.launch({
	executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
	args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
});
try {
	const tab = await browser.newPage({ viewport: { width: 1280, height: 900 } });
	const problems = [];
	tab.on("pageerror", (error) => problems.push(String(error)));
	tab.on("request", (request) => request.url().startsWith("http") && problems.push(`asks ${request.url()}`));
	const shot = (name) => folder && tab.screenshot({ path: join(folder, `playground-${name}.png`), fullPage: true });
	const summary = async (text) => tab.locator("#summary", { hasText: text }).waitFor();
	const marks = () =>
		tab.locator(".cm-marks .mark").evaluateAll((list) => list.map((mark) => mark.textContent).join(""));

	const opened = Date.now();
	await tab.goto(pathToFileURL(page).href);
	await summary("3 of 7 steps cached");
	assert.equal(await marks(), "✓✓↻↻↻✓◌");
	console.log(`first marks after ${Date.now() - opened} ms`);
	await tab.locator("#loading").waitFor({ state: "detached", timeout: 60_000 });
	console.log(`any edit is judged after ${Date.now() - opened} ms`);
	assert.equal(await marks(), "✓✓↻↻↻✓◌");
	assert.match(await tab.locator(".cause").first().textContent(), /src\/app\.js/);
	await shot("node");

	// A better order, applied.
	await tab.locator("#orders button", { hasText: "Apply" }).click();
	assert.match(await tab.locator(".cm-content").innerText(), /COPY package-lock\.json package\.json/);

	// All edits undone: everything is cached.
	await tab.getByRole("button", { name: "Undo all edits" }).click();
	await summary("7 of 7 steps cached");

	// A mistake and its fix.
	await tab.getByLabel("Example").selectOption({ label: "EVN: a slip of the fingers" });
	const fix = tab.locator("#findings button", { hasText: "ENV" }).first();
	await fix.waitFor();
	await shot("evn");
	await fix.click();
	await tab
		.locator("#findings", { hasText: "EVN" })
		.waitFor({ state: "detached" })
		.catch(() => {});
	assert.match(await tab.locator(".cm-content").innerText(), /^ENV TARGET/m);

	// A fresh builder, as in CI: of two stages mode=min keeps the layers of the last only.
	await tab.getByLabel("Example").selectOption({ label: "Go: two stages, a new version argument" });
	await summary("4 of 8 steps cached");
	await tab.locator("#cache").selectOption("min");
	await summary("2 of 8 steps cached");
	await tab.locator("#cache").selectOption("max");
	await summary("4 of 8 steps cached");

	// The classic builder, with the keyboard; a file that is added.
	await tab.locator("#engine").selectOption("classic");
	await tab.locator("#name").fill("src/new.js");
	await tab.keyboard.press("Enter");
	await tab.locator("#files", { hasText: "src/new.js" }).waitFor();

	// A link holds it all.
	await tab.getByRole("button", { name: "Copy link" }).click();
	const link = tab.url();
	await tab.locator("#orders", { hasText: "Searching" }).waitFor({ state: "detached" }); // then all is said
	const text = await tab.locator(".cm-content").innerText();
	const other = await browser.newPage({ viewport: { width: 390, height: 800 } });
	await other.goto(link);
	await other.locator("#loading").waitFor({ state: "detached", timeout: 60_000 });
	await other.locator("#orders", { hasText: "Searching" }).waitFor({ state: "detached" });
	assert.equal(await other.locator(".cm-content").innerText(), text);
	assert.ok(
		(await other.evaluate(() => document.documentElement.scrollWidth)) <= 390,
		"a phone need not scroll sideways",
	);
	if (folder) {
		await other.screenshot({ path: join(folder, "playground-phone.png"), fullPage: true });
	}
	assert.deepEqual(problems, []);
	console.log("playground: passed");
} finally {
	await browser.close();
}
