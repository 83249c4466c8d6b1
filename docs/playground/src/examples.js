/** What the page starts with. `edit` is what was changed since the last build. */
export const examples = [
	{
		title: "Node: a source file was edited",
		before: {
			dockerfile: `FROM node:22 AS build
WORKDIR /app
COPY . .
RUN npm ci
RUN npm run build

FROM nginx
COPY --from=build /app/dist /usr/share/nginx/html
`,
			files: {
				".dockerignore": "node_modules\ndist\n",
				"package.json": '{"name": "shop", "scripts": {"build": "vite build"}}\n',
				"package-lock.json": '{"name": "shop", "lockfileVersion": 3, "packages": {"": {"name": "shop"}}}\n',
				"src/app.js": 'document.title = "Shop";\n',
				"README.md": "# Shop\n",
			},
		},
		edit: { files: { "src/app.js": 'document.title = "A better shop";\n' } },
	},
	{
		title: "EVN: a slip of the fingers",
		before: {
			dockerfile: `FROM diamol/node

EVN TARGET="blog.sixeyed.com"
ENV METHOD="HEAD"
ENV INTERVAL="3000"

WORKDIR /web-ping
COPY app.js .

CMD ["node", "/web-ping/app.js"]
`,
			files: { "app.js": "console.log('ping');\n" },
		},
		edit: { files: {} },
	},
	{
		title: "Go: two stages, a new version argument",
		before: {
			dockerfile: `FROM golang:1.25 AS build
ARG VERSION=1.0
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -ldflags "-X main.version=$VERSION" -o /out/app .

FROM gcr.io/distroless/static
COPY --from=build /out/app /app
ENTRYPOINT ["/app"]
`,
			files: {
				"go.mod": "module example.com/app\n\ngo 1.25\n",
				"go.sum": "",
				"main.go": "package main\n\nfunc main() {}\n",
			},
		},
		edit: { replace: ["VERSION=1.0", "VERSION=1.1"], files: {} },
	},
	{
		title: "Python: requirements first",
		before: {
			dockerfile: `FROM python:3.13-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
CMD ["python", "app.py"]
`,
			files: {
				"requirements.txt": "flask==3.1.0\n",
				"app.py": "print('hello')\n",
				".dockerignore": "*.md\n",
				"NOTES.md": "notes\n",
			},
		},
		edit: { files: { "app.py": "print('hello, world')\n" } },
	},
];

/** The Dockerfile and the files of an example as they are edited. */
export function edited({ before, edit }) {
	const dockerfile = edit.replace ? before.dockerfile.replace(...edit.replace) : before.dockerfile;
	return { dockerfile, files: { ...before.files, ...edit.files } };
}

/** What the core is asked, as JSON. The builder is "buildkit" or "classic", the cache "" unless it is imported. */
export const request = (before, after, engine = "buildkit", cache = "") =>
	JSON.stringify({ before, after, engine, cache });
