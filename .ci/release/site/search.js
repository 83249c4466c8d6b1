// The pages that hold all words that are typed; those whose title does come first.
const field = document.getElementById("search");
const results = document.getElementById("results");
field.addEventListener("input", () => {
	const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
	const holds = (text) => words.every((word) => text.toLowerCase().includes(word));
	const hits = pages.filter((page) => holds(`${page.title} ${page.text}`));
	hits.sort((a, b) => holds(b.title) - holds(a.title));
	results.replaceChildren(
		...hits.slice(0, 12).map((page) => {
			const link = Object.assign(document.createElement("a"), { href: root + page.url, textContent: page.title });
			const item = document.createElement("li");
			item.append(link);
			return item;
		}),
	);
	results.hidden = !words.length;
});
