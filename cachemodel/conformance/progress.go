package conformance

import (
	"bytes"
	"encoding/json"
	"iter"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

// progress is what a build shows while it goes on.
type progress map[digest.Digest]*vertexEvents

func (p progress) add(status *client.SolveStatus) {
	for _, v := range status.Vertexes {
		if p[v.Digest] == nil {
			p[v.Digest] = &vertexEvents{root: true, runs: map[time.Time]bool{}}
		}
		p[v.Digest].add(v)
	}
}

// executed says of each vertex whether it was executed.
func (p progress) executed() map[digest.Digest]bool {
	did := make(map[digest.Digest]bool, len(p))
	for dgst, e := range p {
		did[dgst] = e.executed()
	}
	return did
}

// watch reads the status of a build of BuildKit's client; seen waits for its end.
func watch() (status chan *client.SolveStatus, seen func() progress) {
	status, done := make(chan *client.SolveStatus), make(chan struct{})
	p := progress{}
	go func() {
		defer close(done)
		for s := range status {
			p.add(s)
		}
	}()
	return status, func() progress {
		<-done
		return p
	}
}

// rawProgress reads what buildx prints with --progress rawjson.
func rawProgress(events []byte) iter.Seq[*client.SolveStatus] {
	return func(yield func(*client.SolveStatus) bool) {
		for line := range bytes.Lines(events) {
			var status client.SolveStatus
			if json.Unmarshal(line, &status) == nil && !yield(&status) { // what is none is not of the progress
				return
			}
		}
	}
}

// vertexEvents are the progress events of one vertex.
type vertexEvents struct {
	root   bool // without inputs
	cached bool
	runs   map[time.Time]bool // when something began that is no load from the cache
}

// add: what names no inputs of a vertex that has some is about its layers, which are fetched or unpacked
// (util/progress/controller).
func (e *vertexEvents) add(v *client.Vertex) {
	if len(v.Inputs) == 0 && !e.root {
		return
	}
	e.root = len(v.Inputs) == 0
	e.cached = e.cached || v.Cached
	if v.Started != nil && !v.Cached {
		e.runs[*v.Started] = true
	}
}

// executed: a vertex without inputs also shows the request for its own key (solver/jobs.go, CacheMap). Another one that
// shows a load from the cache may have run too: the daemon knew its key, and its layers were gone.
func (e *vertexEvents) executed() bool {
	if e.root {
		return !e.cached && len(e.runs) > 1
	}
	return len(e.runs) > 0
}
