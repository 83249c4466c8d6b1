package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis/golden"
)

// What says something about settings says the same as the table: the JSON schema (written with -update), the page about
// the protocol, and VS Code's manifest.
func TestSettingsTable(t *testing.T) {
	defaults := defaultSettings()
	if fields := reflect.TypeOf(defaults).NumField(); fields != len(settingsTable) {
		t.Errorf("%d settings, %d of them in the table", fields, len(settingsTable))
	}
	raw, err := json.MarshalIndent(schema(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.File(t, filepath.Join("..", "docs", "settings.schema.json"), string(raw)+"\n")

	page, err := os.ReadFile(filepath.Join("..", "docs", "protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	manifest, restricted := vscodeSettings(t)
	want := []string{section + ".server.path"}
	for _, s := range settingsTable {
		if s.far {
			want = append(want, section+"."+s.name)
		}

		value, _ := json.Marshal(reflect.ValueOf(s.field(&defaults)).Elem().Interface())
		kind := s.schemaType()
		switch {
		case s.values != nil:
			kind = "`\"" + strings.Join(s.values, "\"` or `\"") + "\"`"
		case kind == "object":
			kind, value = "object of strings", []byte("{}")
		}
		if line := fmt.Sprintf("| `%s` | %s | `%s` | %s |\n", s.name, kind, value, s.about); !strings.Contains(
			string(page),
			line,
		) {
			t.Errorf("docs/protocol.md lacks the line\n%s", line)
		}

		property, ok := manifest[section+"."+s.name]
		if !ok {
			t.Errorf("editors/vscode/package.json has no setting %s.%s", section, s.name)
			continue
		}
		if property.Type != s.schemaType() || !cmp.Equal(property.Enum, s.values) ||
			string(property.Default) != string(value) {
			t.Errorf("editors/vscode/package.json: %s.%s is %+v with default %s, want %s, default %s, values %v",
				section, s.name, property.Type, property.Default, s.schemaType(), value, s.values)
		}
		delete(manifest, section+"."+s.name)
	}
	slices.Sort(want)
	if d := cmp.Diff(want, restricted); d != "" {
		t.Errorf("editors/vscode/package.json: what an untrusted folder may not set: -want +got\n%s", d)
	}
	for name, property := range manifest {
		if property.Scope == "resource" {
			t.Errorf("editors/vscode/package.json offers %s, which the server does not know", name)
		}
	}
}

type vscodeSetting struct {
	Type, Scope string
	Enum        []string
	Default     json.RawMessage
}

// vscodeSettings are those of the extension, and the names of those that an untrusted folder may not set.
func vscodeSettings(t *testing.T) (settings map[string]vscodeSetting, restricted []string) {
	raw, err := os.ReadFile(filepath.Join("..", "editors", "vscode", "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Capabilities struct {
			UntrustedWorkspaces struct{ RestrictedConfigurations []string }
		}
		Contributes struct {
			Configuration []struct {
				Properties map[string]vscodeSetting
			}
		}
	}
	if err := json.Unmarshal(raw, &manifest); err != nil {
		t.Fatal(err)
	}
	settings = map[string]vscodeSetting{}
	for _, group := range manifest.Contributes.Configuration {
		maps.Copy(settings, group.Properties)
	}
	return settings, slices.Sorted(slices.Values(manifest.Capabilities.UntrustedWorkspaces.RestrictedConfigurations))
}

// TestContexts has a build context for one Dockerfile in the settings, above that for all.
func TestContexts(t *testing.T) {
	dir := t.TempDir()
	one := filepath.Join(dir, "services", "api", "Dockerfile")
	own := settings{Context: "all", Contexts: map[string]string{"services/api/Dockerfile": "."}}
	for path, want := range map[string]string{one: dir, filepath.Join(dir, "Dockerfile"): filepath.Join(dir, "all")} {
		if got := choicesOf(own, dir, path).ContextDir; got != want {
			t.Errorf("%s has the context %s, want %s", path, got, want)
		}
	}
}
