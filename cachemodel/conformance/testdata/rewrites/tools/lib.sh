# Shared by the stand-ins for package managers. They read what the real ones read and write what is made of it, so that
# whatever they should have seen and did not changes the image.

# need FILE...: fails as the real tool does where its manifest is not there.
need() {
	for f; do
		[ -e "$f" ] || { echo "${0##*/}: $f not found in $PWD" >&2; exit 1; }
	done
}

# sum FILE...: one line that depends on the files' names and contents.
sum() { for f; do [ ! -e "$f" ] || sha256sum "$f"; done | sha256sum | cut -c1-16; }

# sums DIR: the same of all files below a folder, without what the tools themselves have written.
sums() {
	find "$1" \( -name node_modules -o -name vendor -o -name target -o -name .venv -o -name dist -o -name .git \) -prune -o \( -type f -o -type l \) -print |
		sort | while read -r f; do echo "$f"; cat "$f" 2>/dev/null; done | sha256sum | cut -c1-16
}

# script NAME FILE: runs the script of that name in a package.json-like file, one '"name": "command"' to a line.
script() {
	command=$(sed -n "s/^ *\"$1\": *\"\\(.*\\)\",*\$/\\1/p" "$2" | head -n 1)
	[ -z "$command" ] || sh -c "$command" || exit 1
}

# put FILE TEXT...: writes a file with its folders.
put() {
	to=$1
	shift
	mkdir -p "$(dirname "$to")" && echo "$*" >"$to"
}
