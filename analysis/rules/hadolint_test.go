package rules

import "testing"

func TestMigrateHadolint(t *testing.T) {
	got, err := MigrateHadolint([]byte(`
ignored:
  - DL3000
  - DL9999
  - SC2086
override:
  error: [DL3006, DL3025]
  style: [dl4000]
trustedRegistries: [docker.io]
`))
	if err != nil {
		t.Fatal(err)
	}
	const want = `rules:
  JSONArgsRecommended: error
  MaintainerDeprecated: hint
  WorkdirRelativePath: off
  untagged-image: error
# no rule here is about DL9999
# no rule here is about SC2086
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if opts, err := ParseConfig([]byte(got)); err != nil || len(opts.Off) != 1 {
		t.Error(opts, err)
	}
	if _, err := MigrateHadolint([]byte("ignored: {")); err == nil {
		t.Error("no error")
	}
}
