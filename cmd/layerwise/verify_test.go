package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/imagediff"
	"github.com/layerwise/layerwise/cachemodel/verify"
)

// What differs from build to build is held against the reordering only where it is another property of the file.
func TestVerifySetsAside(t *testing.T) {
	differ := func(where, what string) imagediff.Difference {
		return imagediff.Difference{Where: where, What: what, Detail: what}
	}
	tests := []struct {
		prose              string
		reordered, rebuilt []imagediff.Difference
		want               string
	}{
		{
			"a date in a file",
			[]imagediff.Difference{differ("/built-at", "content")},
			[]imagediff.Difference{differ("/built-at", "content")},
			"Differ from build to build, reordered or not: /built-at\nVerified: both files build the same image (7 " +
				"files compared).\n",
		},
		{
			"the file with the date is lost",
			[]imagediff.Difference{differ("/built-at", "existence")},
			[]imagediff.Difference{differ("/built-at", "content")},
			"Differ from build to build, reordered or not: /built-at\n" +
				"The images differ (the first is that of the file as it is, the second that of the file reordered):\n" +
				"  /built-at: existence\n",
		},
		{"another file", []imagediff.Difference{differ("/a", "content")}, nil,
			"The images differ (the first is that of the file as it is, the second that of the file reordered):\n  " +
				"/a: content\n"},
		{"very many", slices.Repeat([]imagediff.Difference{differ("/a", "mode")}, 52), nil,
			"The images differ (the first is that of the file as it is, the second that of the file " +
				"reordered):\n" + strings.Repeat(
				"  /a: mode\n",
				50,
			) + "  and 2 more\n"},
	}
	for _, test := range tests {
		v := &verify.Result{Files: 7, Differences: test.reordered}
		v.SetAside(test.rebuilt)
		var out bytes.Buffer
		if printVerified(&out, v, false); out.String() != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.prose, out.String(), test.want)
		}
	}
}
