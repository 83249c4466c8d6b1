/** The lines of two texts as [sign, line]: " " in both, "-" only in the first, "+" only in the second. */
export function difference(a, b) {
	const length = Array.from({ length: a.length + 1 }, () => new Array(b.length + 1).fill(0));
	for (let i = a.length - 1; i >= 0; i--) {
		for (let j = b.length - 1; j >= 0; j--) {
			length[i][j] = a[i] === b[j] ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1]);
		}
	}
	const lines = [];
	let i = 0;
	let j = 0;
	while (i < a.length || j < b.length) {
		if (i < a.length && j < b.length && a[i] === b[j]) {
			lines.push([" ", a[i++]]);
			j++;
		} else if (j === b.length || (i < a.length && length[i + 1][j] >= length[i][j + 1])) {
			lines.push(["-", a[i++]]);
		} else {
			lines.push(["+", b[j++]]);
		}
	}
	return lines;
}
