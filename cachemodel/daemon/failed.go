package daemon

import (
	"context"
	"encoding/json"
	"strings"

	controlapi "github.com/moby/buildkit/api/services/control"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
)

// failure is what the error of a failed build tells of its Dockerfile (solver/errdefs.Source).
type failure struct {
	filename, text string
	line           int // 1-based, of the instruction at which the build failed
}

// failure reads the error of a build; ok is false if that does not tell of a step of a Dockerfile.
func (c *conn) failure(ctx context.Context, r *controlapi.BuildHistoryRecord) (f failure, ok bool) {
	said := r.Error
	if r.ExternalError != nil { // with all details
		data, err := c.blob(ctx, r.ExternalError.Digest)
		if err != nil {
			return f, false
		}
		said = &status.Status{}
		if proto.Unmarshal(data, said) != nil {
			return f, false
		}
	}
	for _, detail := range said.GetDetails() {
		if !strings.Contains(detail.TypeUrl, "errdefs.Source") {
			continue
		}
		var source struct {
			Info struct {
				Filename string
				Data     []byte
			}
			Ranges []struct{ Start struct{ Line int } }
		}
		if json.Unmarshal(detail.Value, &source) != nil || len(source.Info.Data) == 0 || len(source.Ranges) == 0 {
			continue
		}
		f = failure{filename: source.Info.Filename, text: string(source.Info.Data), line: source.Ranges[0].Start.Line}
		for _, r := range source.Ranges {
			f.line = min(f.line, r.Start.Line)
		}
		ok = f.line > 0
	}
	return f, ok
}
