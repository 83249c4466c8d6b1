// Package daemon reads the history of a BuildKit daemon: the last successful build of a Dockerfile with its settings
// and base images, how long its steps took, and what their layers hold on disk.
//
// It is the one package that talks to a daemon, and it only reads: it builds nothing and changes nothing. Nothing is
// dialled unless a daemon is configured, every question is limited in time, and a daemon that does not answer is left
// alone for a while. The cache model must not know this package: who finds a baseline is given its answers as a
// record.Record.
//
// BuildKit's own client is not used: it would triple what the program takes. The messages are BuildKit's and
// containerd's.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	controlapi "github.com/moby/buildkit/api/services/control"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const (
	patience   = 5 * time.Second // for one question: on a busy machine the history of two days takes its time
	firstPause = 15 * time.Second
	maxPause   = 10 * time.Minute
	maxMessage = 64 << 20
	maxBlob    = 32 << 20
)

// ErrUnreachable is wrapped by the error about a daemon that does not answer.
var ErrUnreachable = errors.New("the BuildKit daemon does not answer")

// ErrTooOld is wrapped by the error about a daemon that keeps no history.
var ErrTooOld = errors.New("the builder is too old to tell what it has built")

// Daemon is a daemon to ask. Its methods may be called from several goroutines.
type Daemon struct {
	endpoint Endpoint
	places   Places
	other    *Daemon       // see Endpoint.Other
	limit    time.Duration // of one question

	mu    sync.Mutex
	pause time.Duration // after the next failure
	until time.Time     // it is not asked before
	last  error         // why
	// foreign says, as the beginning of a sentence, that an engine has no BuildKit; "" if it has, or was not asked.
	foreign string
}

// New makes a daemon of what Find found. Nothing is dialled yet.
func New(e Endpoint, p Places) *Daemon {
	d := &Daemon{endpoint: e, places: p, limit: patience}
	if e.Other != nil {
		d.other = New(*e.Other, p)
	}
	return d
}

// String names the daemon for people.
func (d *Daemon) String() string {
	switch e := d.endpoint; {
	case e.Engine && e.Name != defaultContext:
		return fmt.Sprintf("the Docker engine %s at %s", e.Name, e.Address)
	case e.Engine:
		return "the Docker engine at " + e.Address
	case e.Name != "":
		return "the builder " + e.Name
	case e.Container != "":
		return "BuildKit in the container " + e.Container
	default:
		return "BuildKit at " + e.Address
	}
}

// ask connects and puts a question. After a failure it returns the same error for a while without trying.
func (d *Daemon) ask(ctx context.Context, question func(ctx context.Context, c *conn) error) error {
	if err := d.paused(); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	c, err := d.dial()
	if err == nil {
		err = question(limited, c)
		c.grpc.Close()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil || ctx.Err() != nil {
		d.pause = 0
		return err
	}
	d.pause = min(max(firstPause, 2*d.pause), maxPause)
	d.until = time.Now().Add(d.pause)
	if status.Code(err) == codes.Unimplemented {
		d.last = fmt.Errorf("%w: %s (Docker 23.0 or BuildKit 0.11 is needed)", ErrTooOld, d)
		return d.last
	}
	d.last = fmt.Errorf("%w: %s, named by %s: %w", ErrUnreachable, d.endpoint.Address, d.endpoint.From, err)
	return d.last
}

// paused is the error of the last question, as long as the daemon is left alone after it.
func (d *Daemon) paused() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Until(d.until) > 0 {
		return d.last
	}
	return nil
}

// late reports whether an error is that no answer came in time.
func late(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		status.Code(err) == codes.DeadlineExceeded
}

// conn is a connection to a daemon, or a file that was exported of one: then there is no grpc and no control.
type conn struct {
	grpc    *grpc.ClientConn
	control controlapi.ControlClient
	// blob reads something of the content store, status the progress of a build, part by part up to io.EOF.
	blob   func(ctx context.Context, digest string) ([]byte, error)
	status func(context.Context, *controlapi.BuildHistoryRecord) (func() (*controlapi.StatusResponse, error), error)
}

func (d *Daemon) dial() (*conn, error) {
	c, err := grpc.NewClient(
		"passthrough:///"+d.endpoint.Address,
		grpc.WithTransportCredentials(
			insecure.NewCredentials(),
		),
		grpc.WithContextDialer(d.connect),
		grpc.WithAuthority(d.authority()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
	)
	if err != nil {
		return nil, err
	}
	control, content := controlapi.NewControlClient(c), contentapi.NewContentClient(c)
	return &conn{
		grpc: c, control: control,
		blob: func(ctx context.Context, digest string) ([]byte, error) { return readBlob(ctx, content, digest) },
		status: func(ctx context.Context, r *controlapi.BuildHistoryRecord) (
			func() (*controlapi.StatusResponse, error), error,
		) {
			stream, err := control.Status(ctx, &controlapi.StatusRequest{Ref: r.Ref})
			if err != nil {
				return nil, err
			}
			return stream.Recv, nil
		},
	}, nil
}

func (d *Daemon) authority() string {
	if u, err := url.Parse(d.endpoint.Address); err == nil && u.Scheme == "tcp" {
		return u.Host
	}
	return "localhost"
}

// history lists the builds that have ended, the last first.
func (c *conn) history(ctx context.Context) ([]*controlapi.BuildHistoryRecord, error) {
	stream, err := c.control.ListenBuildHistory(ctx, &controlapi.BuildHistoryRequest{EarlyExit: true})
	if err != nil {
		return nil, err
	}
	var out []*controlapi.BuildHistoryRecord
	for {
		event, err := stream.Recv()
		if err == io.EOF {
			sortByEnd(out)
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		r := event.Record
		ended := event.Type == controlapi.BuildHistoryEventType_COMPLETE && r != nil && r.CompletedAt != nil &&
			r.CreatedAt != nil
		if ended && dockerfileFrontend(r) {
			out = append(out, r)
		}
	}
}

// dockerfileFrontend reports whether a build may be one of a Dockerfile: clients that drive the frontend themselves
// name none.
func dockerfileFrontend(r *controlapi.BuildHistoryRecord) bool {
	return r.Frontend == "" || strings.HasPrefix(r.Frontend, "dockerfile") || r.Frontend == "gateway.v0"
}

func readBlob(ctx context.Context, store contentapi.ContentClient, digest string) ([]byte, error) {
	stream, err := store.Read(ctx, &contentapi.ReadContentRequest{Digest: digest})
	if err != nil {
		return nil, err
	}
	var out []byte
	for {
		part, err := stream.Recv()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if out = append(out, part.Data...); len(out) > maxBlob {
			return nil, fmt.Errorf("%s is too large", digest)
		}
	}
}

// Watch calls changed whenever a build has ended, until ctx is cancelled. A daemon that does not answer is tried again
// after longer and longer pauses.
func (d *Daemon) Watch(ctx context.Context, changed func()) {
	pause := firstPause
	for ctx.Err() == nil {
		if d.listen(ctx, func() { pause = firstPause; changed() }) == nil {
			pause = firstPause
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, maxPause)
	}
}

// listen is told of builds until the connection ends. The daemon first tells of those that it remembers.
func (d *Daemon) listen(ctx context.Context, changed func()) error {
	c, err := d.dial()
	if err != nil {
		return err
	}
	defer c.grpc.Close()
	began := time.Now()
	stream, err := c.control.ListenBuildHistory(ctx, &controlapi.BuildHistoryRequest{})
	if err != nil {
		return err
	}
	for {
		event, err := stream.Recv()
		if err != nil {
			return err
		}
		// What is remembered comes at once; that something of it is taken for new only makes somebody look once more.
		if event.Type == controlapi.BuildHistoryEventType_COMPLETE && time.Since(began) > settling {
			changed()
		}
	}
}

// settling is how long a daemon takes to tell of the builds that it remembers.
const settling = time.Second
