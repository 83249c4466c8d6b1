package cachemodel

import (
	"fmt"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

func TestScratch(t *testing.T) {
	a := "FROM diamol/node\n\nENV TARGET=\"blog.sixeyed.com\"\nENV METHOD=\"HEAD\"\nENV INTERVAL=\"3000\"\n\nWORKDIR /web-ping\nCOPY app.js .\nRUN echo $METHOD\nRUN x\nCOPY --from=nginx /x /y\nRUN y\n\nCMD [\"node\", \"/web-ping/app.js\"]\n"
	b := "FROM diamol/node\n\nENV TARGET=\"blog.sixeyed.com\"\nENV METHOD=\"GET\"\nENV INTERVAL=\"3000\"\n\nWORKDIR /web-ping\nCOPY app.js .\nRUN echo $METHOD\nRUN x\nCOPY --from=nginx /x /y\nRUN y\n\nCMD [\"node\", \"/web-ping/app.js\"]\n"
	pa := NewPlan(Build{File: dockerfile.Parse(source.New(a), nil)})
	pb := NewPlan(Build{File: dockerfile.Parse(source.New(b), nil)})
	for _, s := range Compare([]*Plan{pa}, pb) {
		fmt.Println(s.Line, s.Status, s.Certain, s.Text, s.Cause, s.Detail)
	}
}
