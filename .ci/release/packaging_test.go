package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const packaging = "../../packaging"

func readPackaging(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(packaging, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What other projects take from us names the version that is released.
func TestVersionsAgree(t *testing.T) {
	version, err := versionOf("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name, line := range map[string]string{
		"mason/packages/layerwise/package.yaml": "id: pkg:github/layerwise/layerwise@v%s\n",
		"zed/extensions.toml":                   "version = \"%s\"\n",
		"homebrew/layerwise.rb":                 "/refs/tags/v%s.tar.gz\"\n",
		"nix/package.nix":                       "version = \"%s\";\n",
		"aur/PKGBUILD":                          "\npkgver=%s\n",
		"../editors/zed/extension.toml":         "\nversion = \"%s\"\n",
		"../editors/zed/Cargo.toml":             "\nversion = \"%s\"\n",
		"../editors/emacs/layerwise.el":         "\n;; Version: %s\n",
		"../CHANGELOG.md":                       "\n## %s\n",
	} {
		if want := fmt.Sprintf(line, version); !strings.Contains(readPackaging(t, name), want) {
			t.Errorf("%s has no %q", name, want)
		}
	}
}

// Each archive that the registry of Mason names is one that a release makes, and so is the program in it.
func TestMason(t *testing.T) {
	version, err := versionOf("../..")
	if err != nil {
		t.Fatal(err)
	}
	var about struct {
		Name, Description, Homepage     string
		Licenses, Languages, Categories []string
		Source                          struct {
			ID    string
			Asset []struct{ Target, File, Bin string }
		}
		Bin map[string]string
	}
	if err := yaml.Unmarshal([]byte(readPackaging(t, "mason/packages/layerwise/package.yaml")), &about); err != nil {
		t.Fatal(err)
	}
	if about.Name != "layerwise" || about.Description == "" || about.Homepage == "" || len(about.Licenses) == 0 ||
		len(about.Languages) == 0 || len(about.Categories) == 0 || about.Bin["layerwise"] != "{{source.asset.bin}}" {
		t.Errorf("%+v", about)
	}
	made := map[string]string{}
	for _, s := range systems {
		folder, name := archiveName(version, s)
		program := folder + "/layerwise"
		if s.os == "windows" {
			program += ".exe"
		}
		made[name] = program
	}
	for _, asset := range about.Source.Asset {
		fill := func(s string) string { return strings.ReplaceAll(s, `{{ version | strip_prefix "v" }}`, version) }
		if program, ok := made[fill(asset.File)]; !ok || program != fill(asset.Bin) {
			t.Errorf("%s: no release has %s with %s", asset.Target, asset.File, asset.Bin)
		}
		delete(made, fill(asset.File))
	}
	if len(made) > 0 {
		t.Errorf("not named: %v", made)
	}
}

// Bash reads the PKGBUILD, and each of its sources is an archive that a release makes.
func TestPKGBUILD(t *testing.T) {
	version, err := versionOf("../..")
	if err != nil {
		t.Fatal(err)
	}
	said := must(t, packaging, "bash", "-euc", `. aur/PKGBUILD; printf '%s\n' "$source_x86_64" "$source_aarch64"; declare -F package`)
	var names []string
	for _, s := range []system{{"linux", "amd64"}, {"linux", "arm64"}} {
		_, name := archiveName(version, s)
		names = append(names, "https://github.com/layerwise/layerwise/releases/download/v"+version+"/"+name)
	}
	if want := strings.Join(append(names, "package"), "\n") + "\n"; said != want {
		t.Errorf("%s, not %s", said, want)
	}
	files := regexp.MustCompile(`(?m)^\tinstall -D\S+ (\S+) `).FindAllStringSubmatch(readPackaging(t, "aur/PKGBUILD"), -1)
	for _, m := range files {
		name := strings.ReplaceAll(m[1], "*", "layerwise")
		if name != "layerwise" && name != "LICENSE" && name != "man/man1/layerwise.1" &&
			!slices.Contains(slicesOf(completions), name) {
			t.Errorf("no archive has %s", m[1])
		}
	}
	if len(files) != 6 {
		t.Errorf("%d files are installed", len(files))
	}
}

func slicesOf(m map[string]string) (values []string) {
	for _, v := range m {
		values = append(values, v)
	}
	return values
}

// Neovim reads the configuration, which starts the server as the program expects it.
func TestLspconfig(t *testing.T) {
	if _, err := exec.LookPath("nvim"); err != nil {
		skip(t, "needs nvim")
	}
	said := must(t, packaging, "nvim", "--headless", "-u", "NONE", "-i", "NONE",
		"+lua io.stdout:write(vim.inspect(dofile('nvim-lspconfig/lsp/layerwise.lua')))", "+q")
	for _, part := range []string{`cmd = { "layerwise", "serve", "--stdio" }`, `filetypes = { "dockerfile" }`, "root_markers"} {
		if !strings.Contains(said, part) {
			t.Errorf("no %s in %s", part, said)
		}
	}
}

// The schema that SchemaStore is to name is there, and is one.
func TestSchemaStore(t *testing.T) {
	var entry struct {
		Name, Description, URL string
		FileMatch              []string
	}
	if err := json.Unmarshal([]byte(readPackaging(t, "schemastore/catalog.json")), &entry); err != nil {
		t.Fatal(err)
	}
	path, ok := strings.CutPrefix(entry.URL, "https://raw.githubusercontent.com/layerwise/layerwise/main/")
	var schema map[string]any
	err := json.Unmarshal([]byte(readPackaging(t, "../"+path)), &schema)
	if err != nil || !ok || schema["$schema"] == nil {
		t.Errorf("%s: %v", entry.URL, err)
	}
	if !slices.Equal(entry.FileMatch, []string{".layerwise.yaml"}) || entry.Name == "" || entry.Description == "" {
		t.Errorf("%+v", entry)
	}
}

// The extension has what the Marketplace and Open VSX ask for.
func TestMarketplace(t *testing.T) {
	var about struct {
		Name, Publisher, Version, License, Icon, DisplayName, Description string
		Categories, Keywords                                              []string
		Engines                                                           map[string]string
		Repository                                                        struct{ URL string }
	}
	if err := json.Unmarshal([]byte(readPackaging(t, "../editors/vscode/package.json")), &about); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{
		about.Name, about.Publisher, about.Version, about.License, about.DisplayName, about.Description,
		about.Engines["vscode"], about.Repository.URL,
	} {
		if value == "" {
			t.Errorf("something is missing: %+v", about)
		}
	}
	if len(about.Keywords) == 0 || len(about.Keywords) > 30 || len(about.Categories) == 0 {
		t.Errorf("the Marketplace takes 1 to 30 keywords: %d", len(about.Keywords))
	}
	for _, name := range []string{about.Icon, "README.md", "LICENSE"} {
		if _, err := os.Stat(filepath.Join("../../editors/vscode", name)); err != nil {
			t.Error(err)
		}
	}
}
