package cachemodel

import (
	"reflect"
	"slices"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/remotecache"
)

type vertexKind int

const (
	execVertex   vertexKind = iota // RUN
	copyVertex                     // COPY, ADD
	mergeVertex                    // the second half of COPY --link
	mkdirVertex                    // WORKDIR, and the directory behind a cache mount with an owner
	mkfileVertex                   // a heredoc's file
	imageVertex                    // a base image, or one named in --from
	remoteVertex                   // a URL or git repository
	localVertex                    // a named context that is a directory
	brokenVertex                   // an instruction that cannot be read
	classicStep                    // any instruction, under the classic builder
)

// vertex is one node of the build graph: an operation with its inputs. One instruction may make several, and equal
// instructions in two stages share one.
type vertex struct {
	kind vertexKind
	key  opKey
	// what two operations have in common if they are equal, "" where nobody knows it; see opKey.loose
	gist        string
	env         *environment // of execVertex
	inputs      []input
	ignoreCache bool
	doubtful    bool                      // whether there is such a step hangs on a base image of unknown configuration
	image       *imageRef                 // for imageVertex
	onContext   bool                      // see Plan.StandsOnContext
	tree        *buildcontext.Tree        // for localVertex
	index       int                       // in Plan.vertices
	dialect     string                    // see sameFrontend
	result      bool                      // a named context's build gives it
	owners      []*step                   // the file's instructions that it is of, in order
	devices     bool                      // it asks the builder for devices
	op          operation                 // nil where its key in BuildKit is never known
	file        func() remotecache.Digest // of mkfileVertex: the digest of its file in BuildKit
	// writes is the path at or below which a COPY or WORKDIR writes, "" if it may be anywhere.
	writes string
}

// input is what one vertex reads.
type input struct {
	from     *vertex // nil for the build context
	selector string  // part of the definition key: which paths of it
	// content says that BuildKit also compares what is read by its content (CacheMap.Deps[i].ComputeDigestFunc).
	content bool
	digest  string // the content's digest where it is known, "" where only a build can tell

	dir  *reading // of a directory: the build context or a named one
	made *made    // of a stage, where it is known how that was made
}

// reading is what is read of a directory.
type reading struct {
	tree    *buildcontext.Tree // nil if nothing is known of it
	queries []buildcontext.Query
	vague   bool   // it is not known which files are read, so all are asked for
	unknown string // why nobody knows what it holds, "" if that is known
	err     error  // why there is no digest
}

// differs reports whether what is read is certainly other than old's, though not all of it is known.
func (r *reading) differs(old *reading) bool {
	if r == nil || old == nil || r.tree == nil || old.tree == nil || r.vague || old.vague ||
		r.unknown+old.unknown != "" || !reflect.DeepEqual(r.queries, old.queries) {
		return false
	}
	return slices.ContainsFunc(r.queries, func(q buildcontext.Query) bool {
		return buildcontext.Differs(old.tree, r.tree, q)
	})
}

// failed returns why the input cannot be read, nil if it can.
func (in *input) failed() error {
	if in.dir == nil {
		return nil
	}
	return in.dir.err
}

// imageRef is a reference to an image with the platform it is wanted for.
type imageRef struct {
	name     string // as BuildKit normalises it
	digest   string // "" if neither the reference nor Build.Images tells it
	platform string
	// elsewhere is whether another build makes it, as that of a named context "target:x": it may be another one each
	// time.
	elsewhere bool
	// loose is whether nobody knows which image it is, or for which platform.
	loose bool
	// configured is whether its configuration is known, with its ONBUILD instructions.
	configured bool
}

func (r *imageRef) isElsewhere() bool { return r != nil && r.elsewhere }

func (r *imageRef) isLoose() bool { return r != nil && r.loose }
