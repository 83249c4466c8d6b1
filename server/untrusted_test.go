package server

import "testing"

// Whatever the settings say, no program is run and nothing is connected to for a folder that the person does not trust.
func TestUntrustedSettings(t *testing.T) {
	for _, untrusted := range []bool{false, true} {
		s := &session{untrusted: untrusted}
		s.settings.global = defaultSettings()
		s.settings.global.Registry, s.settings.global.BuildKit = "on", "unix:///run/buildkitd.sock"
		got, _ := s.settingsOfLocked("file:///w/Dockerfile")
		if off := !got.ShellCheck && got.Registry == "off" && got.BuildKit == "off"; off != untrusted {
			t.Errorf(
				"untrusted %v: shellCheck %v, registry %q, buildkit %q",
				untrusted,
				got.ShellCheck,
				got.Registry,
				got.BuildKit,
			)
		}
	}
}
